"""How a continuous symmetry starts to break: the Lie derivative of a model, on smooth inputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from erlangen.auditing.auditor import Auditor
from erlangen.auditing.calling import select_tensor
from erlangen.auditing.pair import Check
from erlangen.auditing.state import undisturbed
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.measure.lie_derivative import lie_derivative, local_equivariance_error
from erlangen.symmetries.symmetry import Symmetry


def derivative(auditor: Auditor, check: Check) -> float | None:
    """RMS of the Lie derivative over a few smoothed inputs and all tangents, in units of the spread.

    None if the domain cannot smooth inputs, the symmetry has no tangent, the output lies on another grid than the input, or an
    operation does not support forward-mode differentiation. No judgment depends on it.
    """
    model, few, y = auditor.model, auditor.few, auditor.outputs[auditor.few[0]]
    if not isinstance(check, SymmetryCheck) or auditor.domain.smooth is None or model.module is None or not auditor.spread > 0:
        return None
    smooth = [auditor.domain.smooth(auditor.inputs[i]) for i in few]
    try:
        tangents = [check.symmetry.tangent(x) for x in smooth]
    except Exception:
        return None
    if not tangents[0] or y.ndim == 2 or (y.ndim == 3 and y.shape[1:] != smooth[0].shape[1:]):
        return None

    def f(x: Tensor) -> Tensor:
        return torch.stack(model.adapter.split(select_tensor(model.function(x), model.select), list(x)))

    x, squares = torch.stack(smooth).to(model.device), []
    try:
        with undisturbed(model.module), torch.no_grad():  # else dual numbers may stay behind in its buffers
            for place, v in enumerate(zip(*tangents, strict=True)):
                along = output_tangent(check.symmetry, place) if y.ndim == 3 else None
                change = lie_derivative(f, x, torch.stack(v).to(model.device), along)
                squares.append(float(local_equivariance_error(change.double()).mean()))
    except Exception:
        return None
    value = math.sqrt(sum(squares) / len(squares)) / auditor.spread
    return value if math.isfinite(value) else None


def output_tangent(symmetry: Symmetry, place: int) -> Callable[[Tensor], Tensor]:
    """w(y) for maps (B, C, H, W) that move as images do, under tangent number `place` of the symmetry."""
    return lambda y: torch.stack([symmetry.tangent(map_)[place] for map_ in y])
