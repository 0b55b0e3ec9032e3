"""Causal attention with a window or ALiBi on a GPU, through FlexAttention: neither the weights nor a bias of T × T are stored.

    score(p, q) = q_p · k_q / √d - slope (p - q),   p - w < q ≤ p

FlexAttention compiles a kernel from two functions: one changes a score, one says what is hidden. Which blocks of 128 × 128 scores
are hidden altogether, seen altogether or mixed follows from p and q alone, so the list of blocks is computed directly: torch's
`create_block_mask` would fill a T × T matrix first. A kernel is compiled for each shape. To bound their number, lengths are
rounded up to four sizes per octave (the added keys are ahead of all tokens, and the added queries are cut off), and heads to a
power of two. From `NEAR_FROM` tokens on, ALiBi skips blocks without weight (`erlangen.nn.alibi_blocks`), unless a compiler builds
the graph around the call. Source: Dong et al., "Flex Attention: A Programming Model for Generating Optimized Attention
Kernels", 2024.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

from erlangen.nn.alibi_blocks import near_blocks

BLOCK = 128  # queries and keys of a block, the size that FlexAttention's kernels are tuned for
NARROWEST, WIDEST = 16, 256  # features of a head: the smallest tile of tensor cores, and the most that fits beside them
SHAPES = 64  # compiled kernels per process, before torch refuses to compile more
NEAR_FROM: int | None = 4096  # tokens, from which ALiBi without a window skips blocks without weight; None for never
ALIBI_OPTIONS: dict[str, int | bool] = {}  # FlexKernelOptions of ALiBi without a window
TRITON = importlib.util.find_spec("triton") is not None

_failures: dict[tuple[torch.dtype, int], str] = {}  # what the compiler said, by dtype and features of a head
_block_masks: dict[tuple[int, int | None, torch.device], Any] = {}  # never emptied, since captured CUDA graphs may read them


@dataclass(frozen=True)
class Band:
    """What a query sees, for `flex_attention`: blocks is a BlockMask for `size` ≥ T tokens; slopes (heads,) float32 of ALiBi."""

    size: int
    window: int | None
    slopes: Tensor | None
    blocks: Any


def refusal(device: torch.device, dtype: torch.dtype, head_dim: int) -> str:
    """Why FlexAttention cannot run here; empty if it can."""
    if device.type != "cuda":
        return f"FlexAttention is not used on {device.type}"
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return f"FlexAttention has no {str(dtype).removeprefix('torch.')}"
    if head_dim > WIDEST:
        return f"FlexAttention has no heads of more than {WIDEST} features"
    if not TRITON:
        return "FlexAttention needs Triton"
    return _failures.get((dtype, head_dim), "")


def flex_attention(q: Tensor, k: Tensor, v: Tensor, band: Band) -> Tensor:
    """Attention of q, k, v (B, H, T, d) within `band`, forward and backward in O(T) memory.

    If the kernel does not compile, warns, records the reason for `refusal` and computes the same with a T × T bias. The bias is
    also used under the transforms of `torch.func` and in forward-mode differentiation, which FlexAttention does not support.
    """
    t, d = q.shape[-2:]
    wide = max(NARROWEST, 1 << (d - 1).bit_length())
    if (band.size, wide) != (t, d):
        q, k, v = (F.pad(x, (0, wide - d, 0, band.size - t)) for x in (q, k, v))  # (B, H, size, wide)
    scale = 1 / math.sqrt(d)
    if torch.compiler.is_compiling():
        y = _attend(q, k, v, band, scale)
    elif transformed():
        y = masked_attention(q, k, v, band, scale)
    else:
        if band.slopes is not None and band.window is None and NEAR_FROM is not None and band.size >= NEAR_FROM:
            band = replace(band, blocks=near_blocks(q, k, band.slopes, scale, band.blocks))
        y = _compiled(q, k, v, band, scale, d)
    return y[:, :, :t, :d]


def band(length: int, window: int | None, slopes: Tensor | None, device: torch.device) -> Band:
    """The band for `length` tokens, all of them queries and keys."""
    size, slopes = rounded(length), None if slopes is None else slopes.float()
    if torch.compiler.is_compiling():  # a graph has no place for a cache; it builds the few numbers itself
        return Band(size, window, slopes, block_mask(size, window, device))
    key = (size, window, device)
    blocks = _block_masks.get(key)
    if blocks is None:
        with torch.inference_mode(False):  # an inference tensor could not be used in training later
            blocks = block_mask(size, window, device)
        if not _capturing(device):  # the memory of a captured graph is overwritten when it runs again
            _block_masks[key] = blocks
    return Band(size, window, slopes, blocks)


def rounded(length: int) -> int:
    """The length rounded up to a multiple of 128 and of an eighth of the next power of two: four sizes per octave from 512 on."""
    if torch.compiler.is_compiling():  # the kernel is compiled with the graph around it, whose length is what it is
        return -(-length // BLOCK) * BLOCK
    step = max(BLOCK, (1 << (length - 1).bit_length()) // 8)
    return -(-length // step) * step


def block_mask(size: int, window: int | None, device: torch.device) -> Any:
    """FlexAttention's BlockMask of a causal band, from (size / 128)² numbers. size: a multiple of 128."""
    from torch.nn.attention.flex_attention import BlockMask

    block = torch.arange(size // BLOCK, device=device)
    middle = (block[:, None] - block) * BLOCK  # distances in a block are middle - 127 ... middle + 127
    some, every = middle >= 0, middle >= BLOCK
    if window is not None:
        some, every = some & (middle - BLOCK + 1 < window), every & (middle + BLOCK - 1 < window)
    return BlockMask.from_kv_blocks(*_listed(some & ~every), *_listed(every), BLOCK_SIZE=BLOCK, mask_mod=sight(window))


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """A boolean matrix (rows, columns) as the number of entries per row (1, 1, rows) and their columns, which come first."""
    ones = blocks.to(torch.int32)
    counts = ones.sum(-1).to(torch.int32)
    return counts[None, None], ones.argsort(dim=-1, descending=True, stable=True).to(torch.int32)[None, None]


def sight(window: int | None) -> Callable[..., Tensor]:
    """The function of FlexAttention that says whether a query sees a key."""

    def ahead_is_hidden(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return query >= key

    def only_window_is_seen(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (query - key < cast(int, window))

    return ahead_is_hidden if window is None else only_window_is_seen


def _attend(q: Tensor, k: Tensor, v: Tensor, band: Band, scale: float) -> Tensor:
    """torch's flex_attention, which is to be compiled."""
    from torch.nn.attention.flex_attention import flex_attention as flex

    slopes = band.slopes

    def lowered(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        # Positions become floats before they are subtracted: once per row and column instead of once per score
        return score + cast(Tensor, slopes)[head] * (key.to(torch.float32) - query.to(torch.float32))

    options: Any = {}
    if band.window is None:  # of the causal rule both are true: see FlexKernelOptions
        options = {"ROWS_GUARANTEED_SAFE": True, "BLOCKS_ARE_CONTIGUOUS": True}
        options |= {} if slopes is None else ALIBI_OPTIONS
    score_mod = None if slopes is None else lowered
    return flex(q, k, v, score_mod, band.blocks, scale, kernel_options=options)


@cache
def _compile() -> Callable[..., Tensor]:
    """`_attend`, compiled once a shape. fullgraph: beyond its limit of shapes torch raises an error and does not store T × T."""
    return torch.compile(_attend, dynamic=False, fullgraph=True)


def _compiled(q: Tensor, k: Tensor, v: Tensor, band: Band, scale: float, head_dim: int) -> Tensor:
    """`_attend` by a compiled kernel, or by its substitute, with a warning, if the compiler fails."""
    try:
        with torch._dynamo.config.patch(recompile_limit=SHAPES):
            return _compile()(q, k, v, band, scale)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        if _capturing(q.device):
            raise  # the capture is lost
        reason = f"FlexAttention failed: {(str(error).strip() or repr(error)).splitlines()[0][:200]}"
        _failures[q.dtype, head_dim] = reason
        warnings.warn(f"attention stores a T × T bias, because {reason}", RuntimeWarning, stacklevel=2)
        return masked_attention(q, k, v, band, scale)


def _capturing(device: torch.device) -> bool:
    """Whether a CUDA graph is being captured."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def transformed() -> bool:
    """Whether a transform of torch.func or forward-mode differentiation is under way."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def masked_attention(q: Tensor, k: Tensor, v: Tensor, band: Band, scale: float) -> Tensor:
    """The same function with a bias of T × T: what FlexAttention is tested against, and its substitute."""
    position = torch.arange(q.shape[2], device=q.device)
    distance = position[:, None] - position  # (T, T)
    bias = torch.zeros(distance.shape, device=q.device)
    if band.slopes is not None:
        bias = -band.slopes[:, None, None] * distance  # (H, T, T)
    bias = bias.masked_fill(~sight(band.window)(position, position, position[:, None], position), -math.inf)
    return F.scaled_dot_product_attention(q, k, v, bias.to(q.dtype), scale=scale)
