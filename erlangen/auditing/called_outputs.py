"""The outputs of a model for all inputs, each in the way in which checks read it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from erlangen.auditing import numbers
from erlangen.auditing.adapt import call_all
from erlangen.auditing.arithmetic import eps_of
from erlangen.auditing.box_outputs import as_boxes
from erlangen.auditing.calling import ModelError
from erlangen.auditing.declarations import Declaration
from erlangen.auditing.domain import Domain
from erlangen.auditing.finite_columns import with_finite_columns
from erlangen.auditing.model import Model
from erlangen.auditing.number_rows import with_number_rows
from erlangen.auditing.output_reading import with_maps
from erlangen.auditing.pair import Check
from erlangen.auditing.permuted import with_permuted
from erlangen.auditing.shared_calls import part_name
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.tally import error_of
from erlangen.auditing.verdict import CONSTANT
from erlangen.errors import ErlangenError
from erlangen.statistics.clustered import Moments

FINE = 1e-6  # machine epsilons below this are those of float32 and float64


@dataclass(frozen=True)
class Called:
    """The model of one output as the checks read it, what was declared of it, and f(x) for all inputs."""

    model: Model
    declaration: Declaration
    outputs: list[Tensor]


def call_outputs(
    domain: Domain, models: Sequence[Model], declared: Sequence[Declaration], inputs: Sequence[Any], checks: Sequence[Check]
) -> tuple[list[Called], dict[str, str]]:
    """Each output with the way in which it is read, for all inputs; and why others than the main one are left out."""
    called: list[Called] = []
    left_out = {}
    for model, declaration in zip(models, declared, strict=True):
        is_main = model is models[0]
        try:
            answered = call_output(domain, model, declaration, inputs, checks)
        except ModelError as error:
            if is_main:
                raise
            left_out[part_name(model)] = str(error).removeprefix(f"{model.name} ")
            continue
        if not is_main and is_constant(answered.model, inputs, answered.outputs):
            left_out[part_name(model)] = "the same for every input"
        else:
            called.append(answered)
    return called, left_out


def call_output(domain: Domain, model: Model, declaration: Declaration, inputs: Sequence[Any], checks: Sequence[Check]) -> Called:
    """f(x) for all inputs, as the checks read it. Raises ErlangenError that names the output if it cannot be as declared."""
    output = declaration.output
    model = with_number_rows(model, inputs) if domain.name in ("texts", "points") and output is None else model
    outputs = call_all(model, inputs, domain)
    finite = with_finite_columns(model, outputs) if not declaration.permuted else model
    if finite is not model:
        model, outputs = finite, call_all(finite, inputs, domain)
    with naming(model):
        read = with_maps(model, inputs, dict(enumerate(outputs)), declare(checks, declaration), output)
    read = replace(read, eps=max(model.eps, eps_of(outputs[0].dtype)))
    return Called(read, declaration, outputs if read.adapter is model.adapter else call_all(read, inputs, domain))


@contextmanager
def naming(model: Model) -> Iterator[None]:
    """Names the output of a model in what cannot be as it was declared."""
    try:
        yield
    except ErlangenError as error:
        name = part_name(model)
        raise ErlangenError(f"{name}: {error}" if name else str(error)) from None


def declare(checks: Sequence[Check], declaration: Declaration) -> list[Check]:
    """The checks, with what was declared of an output: that it holds boxes, or that classes are permuted."""
    return [
        as_boxes(with_permuted(check, declaration.permuted), declaration.output) if isinstance(check, SymmetryCheck) else check
        for check in checks
    ]


def moments_of(model: Model, outputs: Sequence[Tensor]) -> Moments:
    """Of all rows of the outputs."""
    return Moments.of(model.rows(y).double().numpy() for y in outputs)


def is_constant(model: Model, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> bool:
    """Whether there is no spread but what rounding makes, in this call and beside that of another one; NaN is no constant.

    In coarser precision, rounding hides up to 6 %, which are no constant: what is not equal in every bit is judged.
    """
    if not all(bool(model.rows(y).isfinite().all()) for y in outputs):
        return False
    moments = moments_of(model, outputs)
    spread, rounding = numbers.spread(moments), CONSTANT * model.eps * moments.rms if model.eps < FINE else 0.0
    if math.isnan(spread):
        return True
    if spread > rounding:
        return False
    alone = model([inputs[-1]])[0]
    return alone.shape == outputs[-1].shape and error_of(model.rows(outputs[-1]), model.rows(alone)) <= rounding
