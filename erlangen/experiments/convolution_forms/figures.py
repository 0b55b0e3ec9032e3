"""One graph convolution, three forms: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import altair as alt

from erlangen.experiments.convolution_forms import TOLERANCE, Recipe
from erlangen.experiments.convolution_forms.evidence import comparisons, task, total
from erlangen.experiments.convolution_forms.median_verdicts import CURVED, GRAPHS, residual_interval, rules
from erlangen.experiments.convolution_forms.pair_figure import stars
from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult

LEAST = 1e-18  # where a difference of 0 is drawn on a logarithmic axis
QUANTITIES = ("output", "of x", "of W", "of bias", "of B", "of edge weights")
PEERS = ("message", "matrix", "pyg")


def figures(recipe: Recipe, results: Sequence[JobResult]) -> Iterator[Figure]:
    """Those for which there are results."""
    found = {name: task(recipe, results, name) for name in ("pair", "residual", "additivity", *PEERS)}
    if found["pair"]:
        yield stars(found["pair"][0])
    if any(found[name] for name in PEERS):
        made = differences([found[name] for name in PEERS])
        if made.rows:
            yield made
    if found["residual"]:
        yield residuals(found["residual"])
    if found["additivity"]:
        yield rule_table(found["additivity"][0])
    direction = [*task(recipe, results, "every-graph"), *task(recipe, results, "direction")]
    if direction:
        yield directions(direction)
    faults = [m for name in ("faults", "past-float32") for result in task(recipe, results, name) for m in result.measurements]
    if faults:
        yield Figure(
            name="library",
            title="torch_geometric's own aggregators",
            caption="Inputs on which its median or max raises or gives a wrong answer, and on which ours does either.",
            columns=("input", "cases", "raised", "wrong", "ours raised or wrong"),
            rows=tuple((m.name, *m.value) for m in faults if isinstance(m.value, tuple)),
        )


def differences(found: Sequence[list[JobResult]]) -> Figure:
    """Largest difference of every pair of answers, beside what is allowed."""
    columns = ("compared", "precision", "largest", *QUANTITIES)
    rows: list[tuple[Scalar, ...]] = []
    for results in found:
        for what, precision, values in comparisons(results):
            by_quantity = [result.values(f"{precision} {what}, by quantity") for result in results]
            worst = [max(column) for column in zip(*by_quantity, strict=True)]
            worst += [math.nan] * (len(QUANTITIES) - len(worst))
            rows.append((what, precision, max(values), *(None if math.isnan(value) else value for value in worst)))
    drawn = [(what, precision, max(float(str(largest)), LEAST)) for what, precision, largest, *_ in rows]
    domain, colors = list(TOLERANCE), ["#E69F00", "#0072B2"]
    color = alt.Color("precision:N", title=None, scale=alt.Scale(domain=domain, range=colors))
    x = alt.X(
        "largest:Q",
        title="largest relative difference (0 stands at the left edge)",
        scale=alt.Scale(type="log", domain=[LEAST, 1e-4]),
        axis=alt.Axis(values=[1e-18, 1e-15, 1e-12, 1e-9, 1e-6], format="~e"),
    )
    points = (
        alt.Chart(records(("compared", "precision", "largest"), drawn))
        .mark_circle(size=60, opacity=1)
        .encode(x=x, y=alt.Y("compared:N", title=None, sort=None, axis=alt.Axis(grid=True, labelLimit=320)), color=color)
        .encode(yOffset=alt.YOffset("precision:N"))
        .encode(tooltip=tooltip(("compared", "precision", "largest"), drawn))
    )
    bounds = (
        alt.Chart(records(("precision", "largest"), list(TOLERANCE.items())))
        .mark_rule(strokeDash=[5, 4], strokeWidth=2)
        .encode(x=x, color=color)
    )
    return Figure(
        name="differences",
        title="Largest differences between the forms",
        caption="Output and gradients over all random directed graphs, relative to the terms that are added up; dashed: what is "
        "allowed in float32 and in float64.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(bounds + points, height=24 * len({row[0] for row in rows})),
    )


def residuals(found: Sequence[JobResult]) -> Figure:
    """What the best fixed matrix leaves over, by aggregator."""
    columns = ("aggregator", "graph", "residual", "low", "high", "matrix without offset", "M from D⁻¹A")
    rows: list[tuple[Scalar, ...]] = []
    for how in ("mean", *CURVED):
        for graph, name in GRAPHS.items():
            best, alone, apart = (
                residual_interval(found, graph, how, arm) for arm in ("matrix and offset", "matrix", "from_mean")
            )
            ends = (None if math.isnan(end) else end for end in (best.low, best.high))
            rows.append((how, name, best.estimate, *ends, alone.estimate, apart.estimate))
    base = alt.Chart(records(columns, rows)).encode(
        y=alt.Y("aggregator:N", title=None, sort=None),
        yOffset=alt.YOffset("graph:N"),
        color=alt.Color("graph:N", title=None),
        tooltip=tooltip(columns, rows),
    )
    title, scale, axis = "residual on held-out X, of the variance", alt.Scale(domainMin=0), alt.Axis(tickCount=6)
    points = base.mark_circle(size=45, opacity=1).encode(x=alt.X("residual:Q", title=title, scale=scale, axis=axis))
    lines = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", title=title, scale=scale, axis=axis), x2="high:Q")
    return Figure(
        name="residual",
        title="What the best fixed matrix leaves over",
        caption=f"Mean over {len(found)} seeds with 95 % t intervals; a fixed offset for every node is fitted beside the matrix. "
        "The table has the matrix alone, too, and how far it lies from the mean's own, ‖M - D⁻¹A‖ / ‖D⁻¹A‖.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(lines + points, height=170),
    )


def whole(count: float) -> int | None:
    return int(count) if math.isfinite(count) else None


def rule_table(result: JobResult) -> Figure:
    pairs = result.values("pairs")
    rows = tuple(
        (name, "yes" if ranks else "no", whole(rows[-1]), *(whole(count) for count in violations))
        for name, ranks, rows, violations in rules(result)
    )
    return Figure(
        name="rules",
        title="Which aggregators are additive",
        caption=f"Pairs (x, y) of signals of -1, 0 and 1 with f(x + y) ≠ f(x) + f(y), by in-degree, of "
        f"{', '.join(f'{count:.0f}' for count in pairs)}. Each depends on all of its neighbors; only where no pair is left is "
        "there a fixed matrix.",
        columns=("aggregator", "ranks rows", "rows that matter, of 5", *(f"in-degree {n}" for n in range(1, len(pairs) + 1))),
        rows=rows,
    )


def directions(found: Sequence[JobResult]) -> Figure:
    kinds = ("symmetric", "directed", "directed with multi-edges")
    return Figure(
        name="direction",
        title="A turned round",
        caption="Graphs on which the layer's output changes when all edges are turned: every small graph, and random ones.",
        columns=("graphs", "how many", "seen", "not seen"),
        rows=tuple(
            (kind, whole(n), whole(seen), whole(n - seen))
            for kind in kinds
            for n, seen in [(total(found, kind, 0), total(found, kind, 1))]
        ),
    )
