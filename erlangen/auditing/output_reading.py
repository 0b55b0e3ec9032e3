"""How a model's outputs are to be read, where their shape alone does not say: as a map, as tokens, as a vector.

A symmetry is broken only if it is broken under every reading that fits. So all of them are tried, with one or two elements on a
few inputs, and the one with the smallest error is kept for all that follows.

Values for each pixel, (h, w) or (h, w, K), and rows in time, (t, D), are brought into the form of a map, (C', h, w) or (C', t),
once for all symmetries: sites and features, and with them all errors, are others then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from erlangen.auditing.box_outputs import box_adapter
from erlangen.auditing.model import Model
from erlangen.auditing.output_kinds import COORDINATES, kind_of, parse_output
from erlangen.auditing.pair import Check, Outputs
from erlangen.auditing.symmetry_check import SymmetryCheck, align
from erlangen.auditing.trials import SMALL, reading_of, trial_elements, trial_error
from erlangen.auditing.vector_outputs import as_vector
from erlangen.auditing.wrapped import Wrapped
from erlangen.errors import ErlangenError
from erlangen.symmetries.layout import layout_of
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry

FEW = 3  # inputs that readings are tried on
BETTER = 0.5  # another reading must have less than this share of the likeliest one's error,
ACTS = 0.1  # or at most this error if nothing acts on the likeliest


@dataclass(frozen=True)
class MapAdapter(Wrapped):
    """An adapter whose outputs, as far as `reading` covers them, are brought into the form of a map.

    (h, w, K) becomes (K, h, w), (h, w) becomes (1, h, w), likewise of a volume; of a series, (t, D) becomes (D, t) and (t,)
    becomes (1, t).
    """

    reading: Reading

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        rows = self.inner.split(y, batch)
        return [self.as_map(row, x) if self.applies(row, x) else row for row, x in zip(rows, batch, strict=False)]

    def applies(self, y: Tensor, x: Tensor) -> bool:
        """Not to the outputs of inner layers."""
        return self.reading.covers(y) and layout_of(y, x, self.reading) is not None

    def as_map(self, y: Tensor, x: Tensor) -> Tensor:
        plain = y.ndim == x.ndim - 1  # one number for each place
        return y[None] if plain else y.movedim(-1, 0)


def with_maps(model: Model, inputs: Sequence[Any], outputs: Outputs, checks: Sequence[Check], output: str | None = None) -> Model:
    """The model, its outputs as maps if they are values for each pixel or rows in time: because `output` says so (`pixels`, or
    `steps` of a series), because that is likeliest, or because some check then has a clearly smaller error.

    Raises ErlangenError as `settled` does.
    """
    few = few_of(model, inputs, outputs)
    if output is not None and parse_output(output)[0] in COORDINATES:
        return replace(model, adapter=box_adapter(model.adapter, inputs[few[0]], outputs[few[0]], output)) if few else model
    symmetries = [check.symmetry for check in checks if isinstance(check, SymmetryCheck)]
    flat = "steps" if few and isinstance(inputs[few[0]], Tensor) and inputs[few[0]].ndim == 2 else "pixels"
    if not few or kind_of(output) not in (None, flat):
        return model
    options = [list(symmetry.readings(inputs[few[0]], outputs[few[0]])) for symmetry in symmetries]
    options = [group for group in options if group]
    found = next((reading_of(option) for group in options for option in group if reading_of(option).output == flat), None)
    if options and found is None and output is not None:
        raise ErlangenError(unreadable(inputs[few[0]], outputs[few[0]], output))
    if found is None or (output is None and not is_flat(flat, options, model, inputs, outputs, few)):
        return model
    return replace(model, adapter=MapAdapter(model.adapter, found))


def is_flat(
    flat: str, options: Sequence[Sequence[Symmetry]], model: Model, inputs: Sequence[Any], outputs: Outputs, few: Sequence[int]
) -> bool:
    """Whether outputs are maps in the form `flat`: some symmetry has a clearly smaller error then, or it is the likeliest form
    and none has a clearly larger one. options: the readings of each symmetry.
    """
    wins = losses = 0
    for group in options:
        errors: dict[bool, list[float]] = {True: [math.inf], False: [math.inf]}
        for option in group:
            errors[reading_of(option).output == flat].append(trial_error(option, model, inputs, outputs, few))
        mine, others = min(errors[True]), min(errors[False])
        wins, losses = wins + (mine < BETTER * others), losses + (others < BETTER * mine)
    likely = any(reading_of(group[0]).output == flat for group in options)
    return wins > 0 or (likely and not losses)


def is_of_kind(reading: Any, output: str) -> bool:
    """Whether outputs are read as declared: as `steps`, or as `steps:width`."""
    kind, words = parse_output(output)
    return bool(reading.output == kind and (kind != "steps" or not words or reading.along in words))


def unreadable(x: Tensor, y: Tensor, output: str) -> str:
    return f"an output of shape {tuple(y.shape)} for an input of shape {tuple(x.shape)} cannot be read as {output}"


def few_of(model: Model, inputs: Sequence[Any], outputs: Outputs) -> list[int]:
    """The inputs that readings are tried on: some that share a call."""
    return [i for i in model.chunks(inputs)[0] if i in outputs][:FEW]


def settled(
    check: SymmetryCheck, model: Model, inputs: Sequence[Any], outputs: Outputs, output: str | None = None
) -> SymmetryCheck:
    """The check with its outputs read in one way: as `output` (vector, map, pixels, tokens or steps) if that is given.

    model: that of `with_maps`. Raises ErlangenError if no output of this shape can be read as `output`, or for another word.
    """
    few, symmetry = few_of(model, inputs, outputs), check.symmetry
    if not few or reading_of(symmetry) is not None:
        return check
    options = list(symmetry.readings(inputs[few[0]], outputs[few[0]]))
    if not options:
        return with_vectors(check, model, inputs, outputs, few, output)
    is_map = isinstance(model.adapter, MapAdapter)
    if output is not None:
        options = [option for option in options if is_of_kind(reading_of(option), "map" if is_map else output)]
        if not options:
            raise ErlangenError(unreadable(inputs[few[0]], outputs[few[0]], output))
        errors = [trial_error(option, model, inputs, outputs, few) for option in options] if len(options) > 1 else [0.0]
        return replace(check, symmetry=options[errors.index(min(errors))])
    options = [option for option in options if not (is_map and reading_of(option).output not in ("map", "vector"))]
    if len(options) == 1 and is_plain(reading_of(options[0]), outputs[few[0]]):
        return check
    return replace(check, symmetry=likeliest(symmetry, options, model, inputs, outputs, few))


def with_vectors(
    check: SymmetryCheck, model: Model, inputs: Sequence[Any], outputs: Outputs, few: Sequence[int], output: str | None
) -> SymmetryCheck:
    """The check with outputs in rows read as vectors: because `output` says so, or because it acts on nothing else, and on these
    with a small error. A larger one may be that of a set, such as points that were selected.
    """
    y = outputs[few[0]]
    if y.ndim < 2 or output not in (None, "vector"):
        return check
    vector = as_vector(check, y)
    if output is not None:
        return vector
    x, fitted = inputs[few[0]], check.symmetry.fitted(inputs[few[0]], y)
    if any(align(fitted, y, y, g, x) is not None for g in trial_elements(fitted, None, x)):
        return check
    return vector if trial_error(vector.symmetry, model, inputs, outputs, few) <= ACTS else check


def is_plain(reading: Any, y: Tensor) -> bool:
    """Whether the only reading of an output needs no trial: any but a vector in the form of a matrix."""
    return reading.output != "vector" or y.ndim < 2 or max(y.shape[1:]) == 1


def likeliest(
    symmetry: Symmetry, options: Sequence[Symmetry], model: Model, inputs: Sequence[Any], outputs: Outputs, few: Sequence[int]
) -> Symmetry:
    """The symmetry as it is, unless its error is large and another reading has a clearly smaller one.

    Where the shape says little, as that of a matrix does, the reading is written down, so that the audit can name it.
    """
    first = trial_error(symmetry, model, inputs, outputs, few, SMALL)
    is_matrix = outputs[few[0]].ndim == 2 and isinstance(inputs[few[0]], Tensor) and inputs[few[0]].ndim == 3
    named = options[0] if is_matrix and math.isfinite(first) else symmetry
    if first <= SMALL:
        return named
    limit = BETTER * first if math.isfinite(first) else ACTS
    errors = [trial_error(option, model, inputs, outputs, few, limit) for option in options]
    best = min(range(len(options)), key=lambda place: errors[place])
    return options[best] if errors[best] <= limit else named
