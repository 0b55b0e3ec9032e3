"""One graph convolution, three forms: what the verdicts share in reading results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from erlangen.experiments.convolution_forms import CLAIMS, KINDS, TOLERANCE, Recipe
from erlangen.experiments.kit.judging import counted, not_measured
from erlangen.records.runs import JobResult, Verdict

STATEMENTS = {claim.id: claim.statement for claim in CLAIMS}
INSTALL = 'pip install "erlangen[graph]": this part asks torch_geometric'


def task(recipe: Recipe, results: Sequence[JobResult], name: str) -> list[JobResult]:
    """Results of a task by seed; none at all where some of its jobs failed."""
    once = ("pair", "every-graph", "additivity", "faults", "past-float32")
    found = sorted((result for result in results if result.params["task"] == name), key=lambda result: result.seed)
    return found if len(found) >= (1 if name in once else recipe.seeds) else []


def total(found: Sequence[JobResult], name: str, place: int | None = None) -> float:
    """The sum of a measurement over jobs; of one entry of it where it is a tuple. NaN where one lacks it."""
    if place is None:
        return math.fsum(result.value(name) for result in found)
    return math.fsum(dict(enumerate(result.values(name))).get(place, math.nan) for result in found)


def without_library(found: Sequence[JobResult]) -> bool:
    """Whether the jobs ran where torch_geometric is not installed."""
    return any(result.params.get("torch_geometric") is None for result in found)


def in_unit(verdict: Verdict, unit: str) -> Verdict:
    """A counted verdict whose effect counts something else than cases that differ."""
    return verdict if verdict.effect is None else replace(verdict, unit=unit)


def install(claim: str, part: str, statement: str) -> Verdict:
    return replace(not_measured(claim, part, statement), next_step=INSTALL)


def comparisons(found: Sequence[JobResult]) -> Iterator[tuple[str, str, tuple[float, ...]]]:
    """(what, precision, differences of all graphs) for every pair of answers that the jobs compared."""
    for name in sorted({m.name for result in found for m in result.measurements if not m.name.endswith(", by quantity")}):
        precision, _, what = name.partition(" ")
        if precision in TOLERANCE:
            yield what, precision, tuple(value for result in found for value in result.values(name))


def beyond(values: Sequence[float], tolerance: float) -> float:
    """How many differ by more than the tolerance; NaN where one is no number."""
    return math.nan if any(math.isnan(value) for value in values) else sum(value > tolerance for value in values)


def equal(claim: str, part: str, statement: str, found: Sequence[JobResult], what: str, corrected: str) -> Verdict:
    """Exact: every pair of answers within the tolerance of its precision, on graphs of which some have each kind of trouble."""
    compared = list(comparisons(found))
    if not compared:
        return not_measured(claim, part, statement)
    kinds = [total(found, "kinds", place) for place in range(len(KINDS))]
    absent = [kind for kind, count in zip(KINDS[:4], kinds, strict=False) if not count > 0]
    if absent:
        step = f"more graphs: none of these has {' or '.join(absent)}"
        return replace(not_measured(claim, part, statement), next_step=step)
    graphs = max(len(values) for _, _, values in compared)
    failures = math.fsum(beyond(values, TOLERANCE[precision]) for _, precision, values in compared)
    largest = {
        precision: max(value for _, other, values in compared if other == precision for value in values)
        for precision in TOLERANCE
    }
    allowed = ", ".join(f"{largest[name]:.1e} in {name} ({bound:.0e} allowed)" for name, bound in TOLERANCE.items())
    troubles = ", ".join(f"{count:.0f} have {kind}" for kind, count in zip(KINDS, kinds, strict=True))
    return counted(
        claim,
        part,
        statement,
        cases=sum(len(values) for _, _, values in compared),
        failures=failures,
        test=f"{what}; outputs and all gradients on {graphs} random directed graphs, of which {troubles}; largest difference, "
        f"relative to the terms added up, {allowed}",
        corrected=corrected if failures else None,
    )
