"""How a continuous symmetry of images starts to break: the Lie derivative of a model, on smooth images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from erlangen.auditing.inputs import smoothed
from erlangen.auditing.model import Model
from erlangen.auditing.pair import Check
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.measure.lie_derivative import lie_derivative, local_equivariance_error
from erlangen.symmetries.symmetry import Symmetry


def derivative(check: Check, model: Model, images: Sequence[Tensor], y: Tensor, spread: float) -> float | None:
    """RMS of the Lie derivative over smoothed images and tangents, in units of the spread; y: one of the model's outputs.

    None where the symmetry has no tangent, the output moves along on another grid, or an operation has no forward mode. No
    judgment rests on it.
    """
    if not isinstance(check, SymmetryCheck) or model.module is None or not spread > 0:
        return None
    if any(not isinstance(x, Tensor) or x.ndim != 3 for x in images):
        return None
    smooth = [smoothed(x) for x in images]
    tangents = [check.symmetry.tangent(x) for x in smooth]
    if not tangents[0] or y.ndim == 2 or (y.ndim == 3 and y.shape[1:] != smooth[0].shape[1:]):
        return None

    def f(x: Tensor) -> Tensor:
        return torch.stack(model.adapter.split(model.function(x), list(x)))

    x, squares = torch.stack(smooth).to(model.device), []
    try:
        with torch.no_grad():
            for place, v in enumerate(zip(*tangents, strict=True)):
                along = moving(check.symmetry, place) if y.ndim == 3 else None
                change = lie_derivative(f, x, torch.stack(v).to(model.device), along)
                squares.append(float(local_equivariance_error(change.double()).mean()))
    except Exception:
        return None
    value = math.sqrt(sum(squares) / len(squares)) / spread
    return value if math.isfinite(value) else None


def moving(symmetry: Symmetry, place: int) -> Callable[[Tensor], Tensor]:
    """w(y) of maps (B, C, H, W) that move as images do, under the symmetry's tangent number `place`."""
    return lambda y: torch.stack([symmetry.tangent(one)[place] for one in y])
