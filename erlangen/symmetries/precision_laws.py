"""What every symmetry leaves of the precision of its input."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.symmetries.law_case import Case, require
from erlangen.symmetries.leaves import apart, floating, leaves, map_floating


def precision_is_kept(case: Case) -> None:
    """dtype and device stay, and numbers stay finite, in float32 and in float64."""
    for dtype in (torch.float32, torch.float64) if floating(case.x) else ():
        x = map_floating(case.x, lambda leaf, dtype=dtype: leaf.to(dtype))  # type: ignore[misc]
        for g in case.used:
            for method in ("act", "reference"):
                parts_kept(dict(leaves(x)), dict(leaves(case.call(method, x, g))), f"{method} ({case.label(g)})")


def parts_kept(before: dict[str, Any], after: dict[str, Any], where: str) -> None:
    """`precision_is_kept` of one input and what was made of it, by their parts."""
    for path, old in before.items():
        new = after.get(path)
        if isinstance(old, Tensor) and isinstance(new, Tensor):
            require(new.dtype == old.dtype, f"{where} gives {new.dtype} for {old.dtype}")
            require(new.device == old.device, f"{where} moves the input from {old.device} to {new.device}")
            finite = bool(new.isfinite().all()) or not bool(old.isfinite().all())
            require(finite, f"{where} gives numbers that are not finite")


def float64_is_not_rounded(case: Case) -> None:
    """Inputs that only float64 tells apart stay apart."""
    generator = torch.Generator().manual_seed(0)

    def nudged(leaf: Tensor) -> Tensor:
        noise = torch.randn(leaf.shape, dtype=torch.float64, generator=generator).to(leaf.device)
        return leaf * (1 + 1e-10 * noise)

    x = map_floating(case.x, lambda leaf: leaf.float().double())
    other = map_floating(x, nudged)
    for g in case.used if apart(x, other) else ():  # not where there are no numbers, or only zeros
        kept = apart(case.act(x, g), case.act(other, g)) > 0
        require(kept, f"act rounds float64 to a lower precision ({case.label(g)})")
