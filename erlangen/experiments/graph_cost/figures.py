"""What attention costs on a graph: figures, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.graph_cost import TIMED, Recipe
from erlangen.experiments.graph_cost.clock_parts import clocked
from erlangen.experiments.graph_cost.count_parts import NAMES
from erlangen.experiments.graph_cost.tasks import Count, Layer, Over, Time
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, curves, significant
from erlangen.experiments.kit.tasks import read_task
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval

PANELS = {"products both": "million multiply-adds", "stored": "million numbers stored", "seconds": "time, ms"}
DRAWN: tuple[Layer, ...] = ("gat", "plain", "fused")


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Costs over the number of nodes, and over that of neighbors; nothing where nothing was measured."""
    grown = figure(
        "cost",
        "What a layer costs, over the number of nodes",
        f"Forward and backward, {recipe.features} features; both axes logarithmic. In GAT each node has {recipe.degree} "
        "neighbors. Counts are exact; times are geometric means over seeds, on one core.",
        [*counted(evidence, "nodes", "products both"), *times(evidence)],
        "nodes",
    )
    filled = figure(
        "density",
        "What a layer costs as the graph fills up",
        f"Forward and backward, {recipe.filled:,} nodes with up to {recipe.degrees[-1]:,} neighbors each; both axes logarithmic. "
        "A Transformer attends to all nodes whatever the edges.",
        [*counted(evidence, "neighbors", "products both"), *counted(evidence, "neighbors", "stored")],
        "neighbors",
    )
    return [shown for shown in (grown, filled) if shown.rows]


def figure(name: str, title: str, caption: str, rows: list[Row], over: Over) -> Figure:
    """A curve for each layer, in a panel for each cost."""
    columns = ("layer", "panel", over, "cost")
    panels = [panel for panel in PANELS.values() if any(row[1] == panel for row in rows)]
    spec = curves(
        columns, rows, x=over, y="cost", low=None, high=None, color="layer", colors=[NAMES[layer] for layer in DRAWN], log_x=2,
        log_y=True, panel="panel", panels=panels, same_y=False, x_title=f"{over} (log)",
        y_title="cost (log)",
    )  # fmt: skip
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=spec)


def counted(evidence: Evidence, over: Over, quantity: str) -> list[Row]:
    """A count of each layer at each size, in millions."""
    found: list[Row] = []
    for layer in DRAWN:
        for result in evidence.of(Count, layer=layer, over=over):
            values = zip(read_task(Count, result).sizes, result.values(quantity), strict=False)
            found += [(NAMES[layer], PANELS[quantity], size, significant(value / 1e6)) for size, value in values if value > 0]
    return found


def times(evidence: Evidence) -> list[Row]:
    """Milliseconds of each layer at each number of nodes: the geometric mean over the seeds."""
    found: list[Row] = []
    for layer in TIMED:
        results = list(clocked(evidence, layer).results.values())
        logs = ([math.log(value) if value > 0 else math.nan for value in result.values("seconds")] for result in results)
        means = [mean_interval(values).estimate for values in zip(*logs, strict=False)]
        sizes = read_task(Time, results[0]).sizes if results else ()
        timed = [
            (size, significant(1e3 * math.exp(mean))) for size, mean in zip(sizes, means, strict=False) if math.isfinite(mean)
        ]
        found += [(NAMES[layer], PANELS["seconds"], size, milliseconds) for size, milliseconds in timed]
    return found
