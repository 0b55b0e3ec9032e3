"""The softmax over groups of entries: PyG's `softmax`, in plain operations that torch.compile and TorchScript can read."""

from __future__ import annotations

import torch
from torch import Tensor


def softmax(
    src: Tensor, index: Tensor | None = None, ptr: Tensor | None = None, num_nodes: int | None = None, dim: int = 0
) -> Tensor:
    """exp(src_e) / Σ exp(src_k) over the entries k of the same group, along `dim`; the shape of src.

    index (E,) int64: the group of each entry, in any order; or ptr (groups + 1,): the ends of consecutive groups. num_nodes: the
    number of groups, by default the largest index + 1. The largest entry of each group is subtracted first, and half-precision
    numbers are added in float32. Raises ValueError without index and ptr.
    """
    rows = src.movedim(dim, 0)
    if ptr is not None:
        count = ptr.numel() - 1
        groups = torch.arange(count, device=src.device).repeat_interleave(ptr[1:] - ptr[:-1])
    elif index is not None:
        groups = index
        count = num_nodes if num_nodes is not None else (int(index.max()) + 1 if index.numel() > 0 else 0)
    else:
        raise ValueError("softmax: pass an index (E,), or a ptr (groups + 1,)")
    exact = rows.double() if rows.dtype == torch.float64 else rows.float()
    size = [count] + list(exact.shape[1:])  # noqa: RUF005  # TorchScript knows no starred lists
    place = groups.view([-1] + [1] * (exact.dim() - 1)).expand_as(exact)
    largest = torch.zeros(size, dtype=exact.dtype, device=src.device)
    largest = largest.scatter_reduce(0, place, exact.detach(), "amax", include_self=False)
    weight = (exact - largest.index_select(0, groups)).exp()
    total = torch.zeros(size, dtype=exact.dtype, device=src.device).index_add(0, groups, weight)
    return (weight / total.index_select(0, groups)).to(src.dtype).movedim(0, dim)
