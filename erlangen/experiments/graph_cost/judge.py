"""What attention costs on a graph: verdicts and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from erlangen.experiments.graph_cost import Recipe
from erlangen.experiments.graph_cost.figures import density_figure, size_figure
from erlangen.experiments.kit.judging import ends, not_measured
from erlangen.records.runs import Findings, JobResult, Outcome, Verdict
from erlangen.statistics.intervals import Interval, mean_interval, paired_interval

ASKED = "Does graph attention cost as many steps as there are edges, and a Transformer as there are pairs?"


def sweep(results: Sequence[JobResult], layer: str, over: str) -> list[JobResult]:
    """The seeds of one sweep."""
    found = [result for result in results if result.params["layer"] == layer and result.params["over"] == over]
    return sorted(found, key=lambda result: result.seed)


def sizes(result: JobResult) -> list[int]:
    return [int(size) for size in str(result.params["sizes"]).split(",")]


def exponent(result: JobResult, name: str) -> float:
    """The slope of log(measurement) over log(size), by least squares; NaN where one is not positive.

    Of memory the last step alone: what every process holds beside the layer weighs least there, and memory does not scatter.
    """
    values, start = np.array(result.values(name)), -2 if name == "memory" else 0
    if len(values) != len(sizes(result)) or not (values > 0).all():
        return math.nan
    return float(np.polyfit(np.log(sizes(result)[start:]), np.log(values[start:]), 1)[0])


def grows(
    recipe: Recipe, found: list[JobResult], part: str, name: str, statement: str, stated: float, exactly: bool, instead: str
) -> Verdict:
    """Whether a cost grows with the stated exponent, or at most so: the interval against stated ± tolerance."""
    slopes = [exponent(result, name) for result in found]
    interval = mean_interval(slopes)
    if len(found) < recipe.seeds or not math.isfinite(interval.estimate):
        return not_measured("G10", part, statement, "statistical")
    low, high = stated - recipe.tolerance if exactly else -math.inf, stated + recipe.tolerance
    outcome: Outcome = "inconclusive"
    if low <= interval.low and interval.high <= high:
        outcome = "supported"
    elif interval.high < low or interval.low > high:
        outcome = "refuted"
    steps = sizes(found[0])
    of_sizes = f"from {steps[-2]} to {steps[-1]}" if name == "memory" else f"least squares over {steps[0]} to {steps[-1]}"
    range_ = f"{stated:g} ± {recipe.tolerance:g}" if exactly else f"{stated:g} + {recipe.tolerance:g} at most"
    return Verdict(
        claim="G10", part=part, kind="statistical", statement=statement, verdict=outcome, effect=interval.estimate,
        unit="exponent", interval=ends(interval), n=interval.n,
        corrected=instead.format(interval.estimate) if outcome == "refuted" else None,
        test=f"t interval over seeds of the exponent, {of_sizes}; {range_}",
        measured=interval.estimate, next_step="more seeds, on a quiet machine" if outcome == "inconclusive" else "",
    )  # fmt: skip


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """Nine parts; those whose jobs failed are `not measured`."""
    gat, dot, plain, fused = (
        sweep(results, layer, over)
        for layer, over in (("gat", "nodes"), ("dot", "nodes"), ("plain", "tokens"), ("fused", "tokens"))
    )
    less = "Fused attention never holds the N × N matrix: its memory grows with exponent {:.2f}."
    other = "It grows with exponent {:.2f}."
    return [
        grows(recipe, gat, "gat/time", "seconds", "GAT's time is O(E): at fixed degree linear in N.", 1, False, other),
        grows(recipe, gat, "gat/memory", "memory", "GAT's memory is O(E): at fixed degree linear in N.", 1, False, other),
        grows(
            recipe, sweep(results, "gat", "degrees"), "gat/density", "seconds", "GAT's time is O(E): at fixed N linear in E.", 1,
            False, other,
        ),
        grows(recipe, plain, "transformer/time", "seconds", "A Transformer's time is O(N²), written down.", 2, True, other),
        grows(recipe, fused, "transformer/fused-time", "seconds", "A Transformer's time is O(N²), fused.", 2, True, other),
        grows(recipe, plain, "transformer/memory", "memory", "A Transformer's memory is O(N²), written down.", 2, True, other),
        grows(recipe, fused, "transformer/fused-memory", "memory", "A Transformer's memory is O(N²), fused.", 2, True, less),
        grows(
            recipe, dot, "edges", "seconds", "The edges are cheap, not GAT: dot-product attention along them is O(E) too.", 1,
            False, other,
        ),
        full(recipe, sweep(results, "gat", "degrees"), sweep(results, "plain", "degrees")),
    ]  # fmt: skip


def log_ratios(gat: list[JobResult], plain: list[JobResult]) -> Interval:
    """log(GAT's seconds / the Transformer's) on the fullest graph, paired by seed."""
    ours, theirs = ([log(result.values("seconds")[-1]) for result in found if result.values("seconds")] for found in (gat, plain))
    return paired_interval(ours, theirs) if len(ours) == len(theirs) else mean_interval([])


def log(value: float) -> float:
    return math.log(value) if value > 0 else math.nan


def full(recipe: Recipe, gat: list[JobResult], plain: list[JobResult]) -> Verdict:
    """On the fullest graph: who costs less."""
    statement = "GAT costs less than a Transformer whatever the graph, the complete one too."
    logs = log_ratios(gat, plain)
    if logs.n < recipe.seeds or not math.isfinite(logs.estimate):
        return not_measured("G10", "full", statement, "statistical")
    outcome: Outcome = "inconclusive"
    if logs.excludes():
        outcome = "supported" if logs.estimate < 0 else "refuted"
    ratio = logs.exp()
    degrees = sizes(gat[0])
    cheaper = [
        degree
        for place, degree in enumerate(degrees)
        if sum(log(a.values("seconds")[place]) - log(b.values("seconds")[place]) for a, b in zip(gat, plain, strict=True)) < 0
    ]
    until = f"up to {cheaper[-1]} neighbors a node" if cheaper else "at none of the degrees measured"
    dearer = (
        f"On a graph of {recipe.filled} nodes it is cheaper {until}; with {degrees[-1]} it costs {ratio.estimate:.1f} times as "
        "much: O(E) is no less than O(N²) where E is N²."
    )
    return Verdict(
        claim="G10", part="full", kind="statistical", statement=statement, verdict=outcome, effect=ratio.estimate,
        unit="GAT's time / the Transformer's", interval=ends(ratio), n=ratio.n,
        corrected=dearer if outcome == "refuted" else None,
        test=f"paired t of log ratios, {recipe.filled} nodes, {degrees[-1]} neighbors each; cheaper {until}",
        measured=ratio.estimate, next_step="more seeds, on a quiet machine" if outcome == "inconclusive" else "",
    )  # fmt: skip


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    if not results:
        return Findings(asked=ASKED, found="Nothing was measured.")
    measured = {verdict.part: verdict.effect for verdict in verdicts if verdict.effect is not None}
    words = {
        "gat/time": "GAT's time grows with exponent {:.2f} in N at fixed degree",
        "transformer/time": "a Transformer's with {:.2f}",
        "transformer/memory": "its memory with {:.2f} written down",
        "transformer/fused-memory": "and {:.2f} fused",
        "full": "on the full graph GAT takes {:.1f} times the Transformer's time",
    }
    said = [text.format(measured[part]) for part, text in words.items() if part in measured]
    return Findings(
        asked=ASKED, found=f"{', '.join(said)}.", figures=(*size_figure(results), *density_figure(results)),
    )  # fmt: skip
