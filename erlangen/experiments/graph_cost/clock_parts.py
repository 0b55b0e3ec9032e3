"""G10: the parts that a clock illustrates, and whether the clock measured computation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.graph_cost import TIMED, Recipe, said
from erlangen.experiments.graph_cost.tasks import Layer, Time
from erlangen.experiments.kit.evidence import Arm, Evidence, by_seed, ratio
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.experiments.kit.tasks import read_task
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import exceeds, within

GROWTH: dict[str, tuple[Layer, int]] = {
    "time, GAT": ("gat", 1),
    "time, unfused attention": ("plain", 2),
    "time, fused attention": ("fused", 2),
}
SCORES = 4 * 4 / 4096  # pages of 4 KiB that the scores of a pair take, in 4 heads of float32
QUIET = "run it again on a quiet machine"


def clock_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """Exponents of the time, the complete graph, and page faults."""
    return [
        *(growth(recipe, evidence, part) for part in GROWTH),
        complete_graph(recipe, evidence),
        page_faults(recipe, evidence),
    ]


def clocked(evidence: Evidence, layer: Layer, kept: bool = True) -> Arm:
    """The times of a layer by seed."""
    return evidence.arm(Time, layer=layer, kept=kept)


def exponent(result: JobResult) -> float:
    """log(time) over log(nodes) at the last step of the sizes, where calls weigh least; NaN where a time is not positive."""
    sizes, seconds = read_task(Time, result).sizes, result.values("seconds")
    if len(seconds) < len(sizes) or len(sizes) < 2:
        return math.nan
    before, after = seconds[len(sizes) - 2 : len(sizes)]
    return math.log(after / before) / math.log(sizes[-1] / sizes[-2]) if before > 0 and after > 0 else math.nan


def growth(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """Whether a time grows with the exponent of what is counted; the same standard for all layers."""
    layer, power = GROWTH[part]
    edge, arm = recipe.tolerance, clocked(evidence, layer)
    sizes = recipe.nodes if layer == "gat" else recipe.tokens
    why = f"{edge:g} changes the cost of a doubling by {2**edge - 1:.0%}, where linear and quadratic growth differ by 100 %"
    return Part(
        **said(part),
        effect=by_seed(exponent, arm),
        region=within(edge, around=power, why=why),
        unit="exponent",
        checks=(few_faults(recipe, [(arm, slice(len(sizes) - 2, len(sizes)))]),),
        corrected=lambda slope: f"On this machine it grows with the exponent {slope.estimate:.2f}.",
        note="At the last step of the sizes. It illustrates the count and cannot refute it: caches enter, too.",
        remedy=QUIET,
    )


def complete_graph(recipe: Recipe, evidence: Evidence) -> Part:
    """GAT's time over that of unfused attention, on the complete graph."""
    gat, plain = (clocked(evidence, layer) for layer in ("gat", "plain"))
    return Part(
        **said("time, complete graph"),
        effect=ratio(gat, plain, lambda result: (math.nan, *result.values("seconds"))[-1], unit="s"),
        region=exceeds(than=1, why="any longer time shows that O(E) saves nothing where E is N²"),
        unit="GAT's time / unfused attention's",
        checks=(few_faults(recipe, [(gat, slice(-1, None)), (plain, slice(-1, None))]),),
        corrected=lambda times: f"On this machine it takes {times.estimate:.2f} times as long.",
        remedy=QUIET,
    )


def faults_of(arm: Arm, graphs: slice = slice(None)) -> list[float]:
    """The page faults of a step on some of the graphs, of all seeds."""
    return [fault for result in arm.results.values() for fault in result.values("faults")[graphs] or (math.nan,)]


def few_faults(recipe: Recipe, timed: Sequence[tuple[Arm, slice]]) -> Check:
    """Whether no step had more page faults than the recipe allows, on the very graphs whose times are compared."""
    faults = [fault for arm, graphs in timed for fault in faults_of(arm, graphs)]
    measured = bool(faults) and all(map(math.isfinite, faults))
    return Check(f"at most {recipe.faults:,} page faults a step", max(faults) <= recipe.faults if measured else None)


def page_faults(recipe: Recipe, evidence: Evidence) -> Exact:
    """Whether faults are few where pages are kept, and as many as the scores have pages where they are returned."""
    kept, returned = [clocked(evidence, layer) for layer in TIMED], clocked(evidence, "plain", kept=False)
    few, many, n = [fault for arm in kept for fault in faults_of(arm)], faults_of(returned), recipe.tokens[-2]
    right = [fault <= recipe.faults for fault in few] + [fault > min(recipe.faults, SCORES * n * n) for fault in many]
    measured = bool(few and many) and all(map(math.isfinite, few + many))
    return Exact(
        **said("page faults", "control"),
        cases=len(right) if measured else 0,
        count=right.count(False),
        unit="medians on the wrong side",
        missing=tuple(label for arm in [*kept, returned] for label in arm.missing),
        corrected="The page faults are not what the allocator's setting leads to expect: do not trust the times.",
        test=f"median page faults of a step: at most {recipe.faults:,}, or more than the scores of {n:,} nodes have pages",
    )
