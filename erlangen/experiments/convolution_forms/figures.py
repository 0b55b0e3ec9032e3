"""One graph convolution, three forms: figures, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.convolution_forms import FITTED, GRAPHS, Recipe, tasks
from erlangen.experiments.convolution_forms.equality import TOLERANCE, comparisons
from erlangen.experiments.convolution_forms.median_parts import RULES, violations
from erlangen.experiments.kit.counts import numbers, sums
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, dots, significant
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval

RANKING = ("median", "midpoint", "max")  # by definition: what they give is decided by which value is larger
LEAST = 1e-9  # of what is allowed: where smaller differences, and none at all, are drawn


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Those for which there are results."""
    shown = [
        differences("message-form", "message form and a node-by-node program", evidence, tasks.Message),
        differences("matrix-form", "the three forms, dense matrices and torch_geometric", evidence, tasks.Matrix, tasks.Pyg),
        residuals(recipe, evidence),
        rules(evidence),
        directions(evidence),
        library(evidence),
    ]
    return [figure for figure in shown if figure.rows]


def differences(name: str, title: str, evidence: Evidence, *kinds: type) -> Figure:
    """The largest difference of every pair of answers, over what is allowed."""
    columns = ("compared", "precision", "largest difference", "allowed", "log10 of largest / allowed")
    rows: list[Row] = []
    for what, precision, values in (comparison for kind in kinds for comparison in comparisons(evidence.of(kind))):
        largest, allowed = max(values, default=math.nan), TOLERANCE[precision]
        over = significant(math.log10(max(largest / allowed, LEAST)), 3)
        rows.append((what.replace("by hand", "node by node"), precision, significant(largest, 2), allowed, over))
    farthest = max([0.0, *(float(str(row[4])) for row in rows if row[4] is not None)])
    spec = dots(
        columns, rows, x=columns[4], y="compared", low=columns[4], high=columns[4], color="precision", colors=tuple(TOLERANCE),
        title="largest difference over what is allowed, log10", reference=0.0, domain=(math.log10(LEAST) - 0.5, farthest + 0.5),
    )  # fmt: skip
    return Figure(
        name=name,
        title=f"Largest differences: {title}",
        caption="Outputs and gradients on all random directed graphs, relative to the terms that are added up. Left of the "
        "dashed line a difference is rounding; no difference at all is drawn at -9.",
        columns=columns,
        rows=tuple(rows),
        spec=spec,
    )


def residuals(recipe: Recipe, evidence: Evidence) -> Figure:
    """What the best fixed matrix leaves over, by aggregator."""
    results = evidence.of(tasks.Residual)
    columns = ("aggregator", "graph", "residual", "low", "high", "matrix without offset", "distance of M from D⁻¹A")
    rows: list[Row] = []
    for how in ("mean", *FITTED) if results else ():
        for graph, name in GRAPHS.items():
            best, alone, apart = (
                mean_interval([result.value(f"{graph}_{how}_{arm}") for result in results])
                for arm in ("matrix and offset", "matrix", "from_mean")
            )
            rows.append((how, name, *cells(best), significant(alone.estimate), significant(apart.estimate)))
    spec = dots(
        columns, rows, x="residual", y="aggregator", color="graph", colors=GRAPHS.values(), reference=recipe.material,
        title="share of the variance left over", order=("mean", *FITTED),
    )  # fmt: skip
    return Figure(
        name="residual",
        title="What the best fixed matrix leaves over",
        caption=f"Mean over {len(results)} seeds with 95 % t intervals; dashed: {recipe.material:.0%}. The matrix M is fitted "
        "with an offset for every node. The table also has the matrix alone, and ‖M - D⁻¹A‖ / ‖D⁻¹A‖.",
        columns=columns,
        rows=tuple(rows),
        spec=spec,
    )


def rules(evidence: Evidence) -> Figure:
    """Which aggregators are additive, and which are associative."""
    pairs = numbers(evidence.of(tasks.Additivity), "pairs")
    rows: list[Row] = []
    for rule in RULES if pairs else ():
        triples = numbers(evidence.of(tasks.Additivity), f"{rule}_not_associative")
        rows.append(
            (rule, "yes" if rule in RANKING else "no", *map(int, triples[:1] or (-1,)), *map(int, violations(evidence, rule)))
        )
    return Figure(
        name="rules",
        title="Which aggregators are linear and associative",
        caption=f"Pairs (x, y) of signals of -1, 0 and 1 with f(x + y) ≠ f(x) + f(y), of {', '.join(f'{n:.0f}' for n in pairs)} "
        "at in-degrees 1 to 5, and triples with f(f(a, b), c) ≠ f(a, b, c), of 27. Only where no pair is left is there a matrix.",
        columns=("aggregator", "compares values", "triples", *(f"in-degree {n}" for n in range(1, len(pairs) + 1))),
        rows=tuple(rows),
    )


def directions(evidence: Evidence) -> Figure:
    """On how many graphs the layer shows that all edges were reversed."""
    results = [*evidence.of(tasks.EveryGraph), *evidence.of(tasks.Direction)]
    counts = {kind: sums(results, kind) for kind in ("symmetric", "directed", "directed with multi-edges")}
    return Figure(
        name="direction",
        title="Reversed edges",
        caption="Graphs on which the layer's output changes when all edges are reversed: every small graph, and random ones.",
        columns=("graphs", "how many", "output changes"),
        rows=tuple((kind, *map(int, count)) for kind, count in counts.items() if count),
    )


def library(evidence: Evidence) -> Figure:
    """Where torch_geometric's median and max fail, and ours."""
    results = [*evidence.of(tasks.Faults), *evidence.of(tasks.PastFloat32)]
    return Figure(
        name="library",
        title="torch_geometric's own median and max",
        caption="Inputs on which its median or max raises an error or gives a wrong answer, and on which ours does either.",
        columns=("input", "cases", "raised", "wrong", "ours raised or wrong"),
        rows=tuple((m.name, *result.values(m.name)) for result in results for m in result.measurements),
    )
