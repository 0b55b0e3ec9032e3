"""One graph convolution, three forms: parts that hold where two ways to compute the layer agree but for rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from erlangen.experiments.convolution_forms import said
from erlangen.experiments.kit.counts import missing, numbers, sums
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.records.runs import JobResult, Of

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}  # of the terms that an output or a gradient adds up
KINDS = ("isolated nodes", "nodes that nothing reaches", "self-loops", "multi-edges")

Comparison = tuple[str, str, tuple[float, ...]]  # what is compared, in which precision, the differences of all graphs


def comparisons(results: Sequence[JobResult]) -> Iterator[Comparison]:
    """Every pair of answers that the jobs compared; no differences where one is not a finite number."""
    for name in sorted({m.name for result in results for m in result.measurements if not m.name.endswith(", by quantity")}):
        precision, _, what = name.partition(" ")
        if precision in TOLERANCE:
            yield what, precision, numbers(results, name)


def beyond(differences: Sequence[float], tolerance: float) -> int:
    """How many differences are larger than the tolerance."""
    return sum(difference > tolerance for difference in differences)


def equal(evidence: Evidence, kind: type, part: str, of: Of = "extension") -> Exact:
    """Every pair of answers agrees, on graphs of which some have each kind of trouble; a planted difference must be seen."""
    results = evidence.of(kind)
    compared, planted = list(comparisons(results)), numbers(results, "planted")
    kinds = zip(KINDS, sums(results, "kinds") or [math.nan] * len(KINDS), strict=False)
    return Exact(
        **said(part, of),
        cases=sum(len(values) for *_, values in compared) if all(values for *_, values in compared) else 0,
        count=sum(beyond(values, TOLERANCE[precision]) for _, precision, values in compared),
        unit="differences beyond rounding",
        missing=missing(evidence, kind),
        checks=(
            *(Check(name=f"some graphs have {trouble}", passed=count > 0) for trouble, count in kinds),
            Check(name="the comparison sees a weight that is off by 3e-5", passed=beyond(planted, TOLERANCE["float32"]) > 0),
        ),
        corrected="They differ: the figure shows where, and by how much.",
        test="outputs and all gradients on random directed graphs",
        note=largest(compared),
    )


def largest(compared: Sequence[Comparison]) -> str:
    """The largest difference in each precision, in words."""
    found = {
        precision: max((value for _, other, values in compared if other == precision for value in values), default=math.nan)
        for precision in TOLERANCE
    }
    said = " and ".join(f"{found[name]:.1e} in {name} ({allowed:.0e} is allowed)" for name, allowed in TOLERANCE.items())
    return f"The largest difference, relative to the terms that are added up, is {said}."
