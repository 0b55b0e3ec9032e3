"""What attention costs on a graph: verdicts and the answer.

A clock cannot refute a count: the report's sentences are judged on the pairs attended. Times and memory illustrate them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from erlangen.experiments.graph_cost import Recipe, said
from erlangen.experiments.graph_cost.tasks import Layer, Over, Sweep
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.counts import numbers
from erlangen.experiments.kit.evidence import Evidence, by_seed, ratio
from erlangen.experiments.kit.parts import Check, Exact, Part
from erlangen.experiments.kit.tasks import read_task
from erlangen.records.runs import Answer, JobResult, Verdict
from erlangen.statistics.regions import at_most, exceeds, within

GROWTH: dict[str, tuple[Layer, Over, str, int]] = {
    "time, GAT": ("gat", "nodes", "seconds", 1),
    "memory, GAT": ("gat", "nodes", "memory", 1),
    "time, GAT, more edges": ("gat", "neighbors", "seconds", 1),
    "time, dot product along edges": ("dot", "nodes", "seconds", 1),
    "time, unfused attention": ("plain", "nodes", "seconds", 2),
    "memory, unfused attention": ("plain", "nodes", "memory", 2),
    "time, fused attention": ("fused", "nodes", "seconds", 2),
    "memory, fused attention": ("fused", "nodes", "memory", 1),
}
QUIET = "run it again on a quiet machine"


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What is counted, then what a clock and the memory say."""
    counted = [attended(evidence, "pairs, GAT", ("gat",)), attended(evidence, "pairs, Transformer", ("plain", "fused"))]
    return decide([*counted, *(growth(recipe, evidence, part) for part in GROWTH), complete_graph(recipe, evidence)])


def attended(evidence: Evidence, part: str, layers: tuple[Layer, ...]) -> Exact:
    """Whether GAT attends to one pair for each edge, or the others to all pairs, on every graph that was measured."""
    arms = [evidence.arm(Sweep, layer=layer, over=over) for layer in layers for over in ("nodes", "neighbors")]
    results = [result for arm in arms for result in arm.results.values()]
    graphs = [graph for result in results for graph in read_task(Sweep, result).graphs()]
    counted = list(zip(numbers(results, "edges"), graphs, strict=False))
    from_edges = sum(pairs != nodes * neighbors for pairs, (nodes, neighbors) in counted)
    from_all = sum(pairs != nodes * nodes for pairs, (nodes, _) in counted)
    wrong, other = (from_edges, from_all) if layers == ("gat",) else (from_all, from_edges)
    return Exact(
        **said(part),
        cases=len(counted),
        count=wrong,
        unit="graphs with another number of pairs",
        missing=tuple(label for arm in arms for label in arm.missing),
        checks=(Check(name="the count tells edges from all pairs", passed=other > 0),),
    )


def exponent(name: str) -> Callable[[JobResult], float]:
    """The slope of log(measurement) over log(size), by least squares; NaN where a measurement is not positive.

    Of memory the last step alone: what every process holds besides the layer weighs least there, and memory does not scatter.
    """
    first = -2 if name == "memory" else 0

    def slope(result: JobResult) -> float:
        values, sizes = result.values(name), read_task(Sweep, result).sizes
        if len(values) != len(sizes) or not all(value > 0 for value in values):
            return math.nan
        return float(np.polyfit(np.log(sizes[first:]), np.log(values[first:]), 1)[0])

    return slope


def growth(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """Whether a cost grows with the expected exponent, or at most linearly."""
    layer, over, name, power = GROWTH[part]
    edge = recipe.tolerance
    why = (
        f"{edge:g} changes the cost of a doubling by {2**edge - 1:.0%}, where linear and quadratic growth differ by a factor of 2"
    )
    return Part(
        **said(part),
        effect=by_seed(exponent(name), evidence.arm(Sweep, layer=layer, over=over)),
        region=at_most(1 + edge, center=1, why=why) if power == 1 else within(edge, around=2, why=why),
        unit="exponent",
        corrected=lambda slope: f"On this machine it grows with exponent {slope.estimate:.2f}.",
        note="It illustrates the count and cannot refute it: caches, page faults and the allocator enter, too.",
        remedy=QUIET,
    )


def complete_graph(recipe: Recipe, evidence: Evidence) -> Part:
    """GAT's time over that of unfused attention, on the fullest graph."""
    gat, plain = (evidence.arm(Sweep, layer=layer, over="neighbors") for layer in ("gat", "plain"))
    return Part(
        **said("time, complete graph"),
        effect=ratio(gat, plain, lambda result: (math.nan, *result.values("seconds"))[-1], unit="s"),
        region=exceeds(than=1, why="any longer time shows that O(E) saves nothing where E is N²"),
        unit="GAT's time / unfused attention's",
        corrected=lambda times: f"On this machine it takes {times.estimate:.2f} times as long.",
        checks=(Check(name="the fullest graph is complete", passed=recipe.degrees[-1] == recipe.filled),),
        remedy=QUIET,
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """Pairs attended as a graph fills, then the exponents of the time over the number of nodes."""
    gat, plain = (numbers(evidence.of(Sweep, layer=layer, over="neighbors")[:1], "edges") for layer in ("gat", "plain"))
    grown = {v.part: v.effect for v in verdicts if v.effect is not None and v.part in ("time, GAT", "time, unfused attention")}
    exponents = ", ".join(f"{part.removeprefix('time, ')} {effect:.2f}" for part, effect in grown.items())
    sentence = ""
    if gat and plain:
        others = " and ".join(f"{pairs:,.0f}" for pairs in sorted({plain[0], plain[-1]}))
        sentence = (
            f"On {recipe.filled:,} nodes GAT attends to {gat[0]:,.0f} pairs at {recipe.degrees[0]} neighbors each and to "
            f"{gat[-1]:,.0f} at {recipe.degrees[-1]}, a Transformer to {others}."
        )
    if grown:
        sentence += f" Exponents of the time over the number of nodes, on one core: {exponents}."
    return [answer("G10", verdicts, sentence, figure="density")]
