"""Receptive field: the parts about what an output can depend on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.kit.counts import missing, numbers
from erlangen.experiments.kit.evidence import NO_JOB, Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.receptive_field import CLAIMS
from erlangen.experiments.receptive_field.statements import QUOTES
from erlangen.experiments.receptive_field.tasks import TOKENS, WINDOW, Extent, FieldName
from erlangen.records.runs import JobResult

said = partial(wording, CLAIMS, QUOTES)
GRADIENT = "gradients in float64 that are exactly zero or not"


def extent_parts(evidence: Evidence) -> list[Exact]:
    """Convolutions and attention as the report has them, and the variants of both."""
    return [
        part(evidence, "CNN, each layer", ("convolution",), "With 3×3 kernels, 2 pixels a layer: 2 L + 1 after L layers."),
        part(evidence, "attention, one layer", ("full",), f"Sequences of {TOKENS} tokens, 1 to 3 layers."),
        part(evidence, "CNN, residual", ("residual",)),
        part(evidence, "CNN, stride or dilation", ("strided", "dilated"), "3, 7, 15, 31 and 63 pixels after 1 to 5 layers."),
        part(evidence, "attention, causal", ("causal",)),
        part(evidence, "attention, window", ("window",), f"A window of {WINDOW} tokens, itself included."),
    ]


def part(evidence: Evidence, name: str, fields: Sequence[FieldName], note: str = "") -> Exact:
    """Inputs that are read though the formula says no, or not read though it says yes, and depths whose size differs from it."""
    results = [result for field in fields for result in evidence.of(Extent, field=field)]
    wrong, cases = numbers(results, "wrong"), numbers(results, "cases")
    lost = missing(evidence, Extent)
    return Exact(
        **said(name),
        cases=math.fsum(cases) if wrong else math.nan,
        count=math.fsum(wrong) + sum(map(wrong_sizes, results)) if wrong else math.nan,
        missing=lost or (() if results else (f"{name}{NO_JOB}",)),
        checks=(told_apart(results),),
        test=GRADIENT,
        note=note,
        corrected="There are inputs or depths for which that is not so.",
    )


def wrong_sizes(result: JobResult) -> int:
    """The depths at which an output reads another number of inputs in a row than the field's formula says."""
    field, kernel = str(result.params["field"]), int(str(result.params["kernel"]))
    read = result.values("read")
    return sum(size != predicted(field, kernel, depth) for depth, size in enumerate(read, start=1))


def predicted(field: str, kernel: int, depth: int) -> int:
    """The size of a field by the statement of its part, apart from the program that measures it."""
    if field in ("convolution", "residual"):
        return 1 + depth * (kernel - 1)
    if field in ("strided", "dilated"):
        return 2 * predicted(field, kernel, depth - 1) + kernel - 2 if depth > 1 else kernel
    return TOKENS if field in ("full", "causal") else min(TOKENS, depth * (WINDOW - 1) + 1)


def told_apart(results: Sequence[JobResult]) -> Check:
    """The positive control: a formula for a field smaller by one input must be found wrong at every depth."""
    found = numbers(results, "wrong_if_smaller")
    return Check("a field smaller by one input is found wrong", all(value > 0 for value in found) if found else None)
