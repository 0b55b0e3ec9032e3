"""GCN and GAT on Cora: verdicts and the figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import altair as alt

from erlangen.experiments.cora_accuracy import NETS, Recipe
from erlangen.experiments.kit.judging import ends, not_measured, published_numbers
from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, Findings, JobResult, Outcome, Verdict
from erlangen.statistics.intervals import mean_interval, paired_interval, paired_p_value

ASKED = "Do the nets that the graph experiments build on score as published?"
NAMES = {"gcn": "GCN", "gat": "GAT"}


published = partial(published_numbers, "erlangen.experiments.cora_accuracy")
"""Test accuracies from the literature, in percent."""


def accuracies(results: Sequence[JobResult], net: str) -> dict[int, float]:
    """Seed -> test accuracy."""
    return {result.seed: result.value("test_accuracy") for result in results if result.params["net"] == net}


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """Both nets against the published range, and one against the other."""
    return [*(reproduced(recipe, results, net) for net in NETS), order(recipe, results)]


def reproduced(recipe: Recipe, results: Sequence[JobResult], net: str) -> Verdict:
    """Whether the mean's whole interval lies within `tolerance` of the published range."""
    reference = published()[net]
    low, high = (end + sign * recipe.tolerance for end, sign in zip(reference["range"], (-1, 1), strict=True))
    interval = mean_interval(list(accuracies(results, net).values()))
    statement = f"{NAMES[net]} scores as published on Cora: {reference['range'][0]} to {reference['range'][1]} %."
    if interval.n < recipe.seeds or not math.isfinite(interval.estimate):
        return not_measured("CORA", net, statement, "statistical")
    outcome: Outcome = "inconclusive"
    if low <= interval.low and interval.high <= high:
        outcome = "supported"
    elif interval.high < low or interval.low > high:
        outcome = "refuted"
    return Verdict(
        claim="CORA", part=net, kind="statistical", statement=statement, verdict=outcome,
        corrected=f"Here it scores {interval.estimate:.1f} %." if outcome == "refuted" else None,
        effect=interval.estimate, unit="% test accuracy", interval=ends(interval), n=interval.n,
        test=f"t interval over seeds, which must lie within {low:.1f} to {high:.1f} %",
        published=reference["paper"], measured=interval.estimate, next_step="more seeds" if outcome == "inconclusive" else "",
    )  # fmt: skip


def order(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """GAT against GCN, paired by seed."""
    gat, gcn = ([accuracies(results, net)[seed] for seed in sorted(both(results))] for net in ("gat", "gcn"))
    difference, p = paired_interval(gat, gcn), paired_p_value(gat, gcn)
    statement = "GAT scores higher than GCN on Cora."
    if difference.n < recipe.seeds or not math.isfinite(difference.estimate):
        return not_measured("CORA", "order", statement, "statistical")
    outcome: Outcome = "inconclusive"
    if p < 0.05:
        outcome = "supported" if difference.estimate > 0 else "refuted"
    gap = published()["gat"]["paper"] - published()["gcn"]["paper"]
    return Verdict(
        claim="CORA", part="order", kind="statistical", statement=statement, verdict=outcome,
        corrected=f"Here GCN scores {-difference.estimate:.1f} points more." if outcome == "refuted" else None,
        effect=difference.estimate, unit="points of test accuracy", interval=ends(difference), n=difference.n,
        test=f"paired t by seed, p = {p:.2g}; each net with its own paper's width and training", published=gap,
        measured=difference.estimate, next_step="more seeds" if outcome == "inconclusive" else "",
    )  # fmt: skip


def both(results: Sequence[JobResult]) -> set[int]:
    """Seeds for which both nets were trained."""
    return set.intersection(*(set(accuracies(results, net)) for net in NETS))


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, and a dot for every net."""
    columns = ("net", "seed", "test accuracy", "validation accuracy")
    rows: list[tuple[Scalar, ...]] = [
        (NAMES[str(r.params["net"])], r.seed, round(r.value("test_accuracy"), 2), round(r.value("validation_accuracy"), 2))
        for r in results
    ]
    if not rows:
        return Findings(asked=ASKED, found="Nothing was measured.")
    scale = alt.Scale(zero=False)
    dots = (
        alt.Chart(records(columns, rows))
        .mark_circle(size=50, opacity=0.6)
        .transform_calculate(jitter="random()")
        .encode(
            x=alt.X("test accuracy:Q", title="test accuracy, %", scale=scale), y=alt.Y("net:N", title=None),
            yOffset="jitter:Q", color=alt.Color("net:N", legend=None), tooltip=tooltip(columns, rows),
        )
    )  # fmt: skip
    papers = [{"net": NAMES[net], "published": published()[net]["paper"]} for net in NETS]
    ticks = (
        alt.Chart(alt.InlineData(values=papers)).mark_tick(thickness=3, size=70, color="#888").encode(x="published:Q", y="net:N")
    )
    figure = Figure(
        name="seeds", title="Test accuracy, a dot for every seed", caption="The grey tick is the paper's mean.", columns=columns,
        rows=tuple(rows), spec=spec(dots + ticks, height=180),
    )  # fmt: skip
    means = {net: mean_interval(list(accuracies(results, net).values())) for net in NETS}
    found = ", ".join(
        f"{NAMES[net]} scores {interval.estimate:.1f} % ± {(interval.high - interval.low) / 2:.1f} (published "
        f"{published()[net]['paper']})" for net, interval in means.items()
    )  # fmt: skip
    return Findings(asked=ASKED, found=f"{found}; mean and half its 95 % interval.", figures=(figure,))
