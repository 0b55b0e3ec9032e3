"""The arithmetic of float32 products on NVIDIA GPUs: full float32, or TF32, which keeps 10 of the 23 bits of the mantissa.

torch computes convolutions in TF32 by default and matrix products in float32, so that "float32" means two things in one network.
TF32 rounds the factors to a relative error of 2⁻¹¹ ≈ 5e-4; sums stay in float32. On other devices nothing changes.

Source: NVIDIA, "Accelerating AI Training with NVIDIA TF32 Tensor Cores", 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import backends

EPSILON = 2.0**-10  # the distance from 1 to the next TF32 number


@contextmanager
def tf32(enabled: bool) -> Iterator[None]:
    """A context in which float32 products and convolutions on CUDA devices run in TF32, or in float32 if `enabled` is false.

    The settings are those of the process, not of a thread; afterwards they are what they were.
    """
    before = _settings()
    try:
        # Each setting has an old and a new name. Both are written: torch raises if they disagree, and its compiler reads the old.
        torch.set_float32_matmul_precision("high" if enabled else "highest")
        backends.cudnn.allow_tf32 = enabled
        for owner in _NEW:
            owner.fp32_precision = "tf32" if enabled else "ieee"
        yield
    finally:
        for restore in before:
            restore()


def in_tf32() -> tuple[bool, bool]:
    """Whether float32 matrix products, and float32 convolutions, run in TF32 on CUDA devices now."""
    return backends.cuda.matmul.fp32_precision == "tf32", _CUDNN.conv.fp32_precision == "tf32"


_CUDNN: Any = backends.cudnn  # torch declares no types for its parts
_NEW: tuple[Any, ...] = (backends.cuda.matmul, _CUDNN, _CUDNN.conv, _CUDNN.rnn)


def _settings() -> list[Callable[[], None]]:
    """Functions that restore the settings of now, the old names first."""
    restore: list[Callable[[], None]] = []
    with suppress(RuntimeError):  # torch refuses to read an old name if the new ones were set to differ
        restore.append(partial(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision()))
    with suppress(RuntimeError):
        restore.append(partial(setattr, backends.cudnn, "allow_tf32", backends.cudnn.allow_tf32))
    return restore + [partial(setattr, owner, "fp32_precision", owner.fp32_precision) for owner in _NEW]
