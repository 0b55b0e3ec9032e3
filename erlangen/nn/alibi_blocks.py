"""The blocks of keys of which ALiBi leaves something in float32, so that FlexAttention need not visit the others.

A score is at most B = max |q| · max |k| / √d in size, and ALiBi lowers it by slope · distance. The token itself is at distance 0:

    weight(p, q) / weight(p, p) ≤ exp(2 B - slope (p - q)),   which is less than 2^-24 / T  if  slope (p - q) ≥ 2 B + log(2^24 T)

and all keys that far back together have less than 2^-24 of a row's weight: adding them changes nothing that float32 can hold.
Steep heads see only a short way back; how far is computed on the device from each call's queries and keys, and nothing waits for
it.

Source of ALiBi: Press et al., "Train Short, Test Long", ICLR 2022. The bound is the Cauchy-Schwarz inequality.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

ROUNDING = 1.01  # the scores of the kernel are rounded, so the bound is a little larger


def near_blocks(q: Tensor, k: Tensor, slopes: Tensor, scale: float, causal: Any) -> Any:
    """The BlockMask (1, H) of `causal`, a BlockMask for T tokens, without what ALiBi hides from q, k (B, H, T, d).

    slopes: (H,), positive. Seen blocks of a row are in ascending order without gaps. Not differentiated.
    """
    with torch.no_grad():
        size = causal.BLOCK_SIZE[0]
        return limited(causal, blocks_back(distance_seen(q, k, slopes, scale), size, q.shape[2] // size))


def distance_seen(q: Tensor, k: Tensor, slopes: Tensor, scale: float) -> Tensor:
    """The distance (H,) float32 from which on keys have no weight in float32; inf or NaN if a query or key is not finite."""
    longest = [torch.linalg.vector_norm(x, dim=-1, dtype=torch.float32).amax((0, 2)) for x in (q, k)]  # (H,)
    bound = ROUNDING * scale * longest[0] * longest[1]
    lost: Tensor = 2 * bound + math.log(2**24 * q.shape[2])
    return lost / slopes


def blocks_back(distance: Tensor, size: int, rows: int) -> Tensor:
    """How many blocks before its own a block of `size` queries visits, (H,) int32: those with a key nearer than `distance` (H,).

    The nearest pair of a block and the n-th one before it is n · size - size + 1 apart.
    """
    back = ((distance + size - 1) / size).ceil() - 1
    return back.nan_to_num(rows, rows).clamp(0, rows).to(torch.int32)


def limited(causal: Any, back: Tensor) -> Any:
    """The BlockMask of `causal` in which row i visits only its own block and the `back` (H,) ones before it."""
    from torch.nn.attention.flex_attention import BlockMask

    heads, rows = len(back), causal.kv_indices.shape[-1]
    row = torch.arange(rows, dtype=torch.int32, device=back.device)
    before, after = (torch.minimum(left, back[:, None])[None] for left in (row, rows - 1 - row))  # (1, H, rows)
    seen = (row - before)[..., None] + row  # (1, H, rows, rows); entries beyond `before` are not read
    seeing = (row[:, None] + 1 + row).expand(1, heads, rows, rows)
    last = rows - 1
    return BlockMask(
        seq_lengths=causal.seq_lengths,
        kv_num_blocks=torch.ones_like(before),
        kv_indices=causal.kv_indices.expand(1, heads, rows, rows).contiguous(),  # begins with the row's own block
        full_kv_num_blocks=before,
        full_kv_indices=seen.clamp_max(last),
        q_num_blocks=torch.ones_like(before),
        q_indices=causal.q_indices.expand(1, heads, rows, rows).contiguous(),
        full_q_num_blocks=after,
        full_q_indices=seeing.clamp_max(last).contiguous(),
        BLOCK_SIZE=causal.BLOCK_SIZE,
        mask_mod=causal.mask_mod,
    )
