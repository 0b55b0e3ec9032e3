"""Trials of a reading of outputs: one or two elements on a few inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.model import Model
from erlangen.auditing.pair import Outputs
from erlangen.auditing.symmetry_check import align, attempt
from erlangen.auditing.verdict import CONSTANT
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry

SMALL = 0.02  # an error of the likeliest reading, in units of the spread, below which no other is tried
ROUNDING = 32  # times eps: relative errors that rounding can make


def trial_error(
    symmetry: Symmetry, model: Model, inputs: Sequence[Any], outputs: Outputs, few: Sequence[int], limit: float = math.inf
) -> float:
    """RMS error of one or two elements on a few inputs, in units of the spread under this reading; infinite if nothing acts.

    limit: an error above which the second element is not tried.
    """
    x, ys = inputs[few[0]], [outputs[i] for i in few]
    fitted = symmetry.fitted(x, ys[0])
    reading, (unit, size) = reading_of(fitted), spread_of(ys, reading_of(fitted))
    single = len(ys) == 1 and reading is not None and reading.output == "vector"  # it varies over nothing: exact or not
    if unit <= CONSTANT * model.eps * size and not single:
        return math.inf  # nothing can be said of what does not vary
    squares, entries, error = 0.0, 0, math.inf
    for g in trial_elements(fitted, reading, x):
        for left, right in trial_pairs(fitted, g, model, inputs, outputs, few):
            squares += float((wide(right) - wide(left)).abs().square().sum())
            entries += left.numel()
        error = math.sqrt(squares / entries) if entries and math.isfinite(squares) else math.inf
        if single:
            error = 0.0 if error <= min(ROUNDING * model.eps, SMALL) * spread_of(ys, None)[0] else math.inf
        elif error < math.inf:
            error = error / unit
        if error > limit and entries:
            break
    return error


def trial_elements(fitted: Symmetry, reading: Reading | None, x: Any) -> list[Any]:
    """The generators; for a vector, random elements, since its generator may move x by less than a cell of a map."""
    drawn = list(fitted.elements(x, 2, np.random.default_rng(0)))
    generators = list(fitted.generators(x))[:2]
    is_vector = reading is not None and reading.output == "vector"
    return (drawn or generators) if is_vector else (generators or drawn[:1])


def trial_pairs(
    fitted: Symmetry, g: Any, model: Model, inputs: Sequence[Any], outputs: Outputs, few: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Expected and actual outputs of a few inputs under one element, as far as it acts on them."""
    try:
        moved = [fitted.act(inputs[i], g) for i in few]
        reference = [fitted.reference(inputs[i], g) for i in few]
    except Exception:
        return
    actual = attempt(model, few, moved)
    expected = attempt(model, few, reference) if reference[0] is not inputs[few[0]] else {i: outputs[i] for i in few}
    for i in few:
        failed = isinstance(actual[i], str) or isinstance(expected[i], str)
        pair = None if failed else align(fitted, expected[i], actual[i], g, inputs[i])
        if isinstance(pair, tuple):
            yield pair


def spread_of(outputs: Sequence[Tensor], reading: Reading | None) -> tuple[float, float]:
    """The spread of some outputs, and their RMS. For vectors, over inputs alone: differences between entries do not count."""
    values = torch.stack([wide(y) for y in outputs]) if len({y.shape for y in outputs}) == 1 else None
    if values is None:
        values = torch.cat([wide(y).flatten() for y in outputs])[:, None]
    elif reading is None or reading.output != "vector":
        values = values.flatten()[:, None]
    spread, size = (float(part.abs().square().mean().sqrt()) for part in (values - values.mean(0), values))
    return spread, size


def wide(y: Tensor) -> Tensor:
    """In double precision."""
    return y.to(torch.complex128) if y.is_complex() else y.double()


def reading_of(symmetry: Symmetry) -> Any:
    """How a symmetry reads outputs; None if it was not told."""
    return getattr(symmetry, "reading", None)
