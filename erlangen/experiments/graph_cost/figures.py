"""What attention costs on a graph: figures, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.graph_cost import Recipe
from erlangen.experiments.graph_cost.tasks import Over, Sweep
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, curves, significant
from erlangen.experiments.kit.tasks import read_task
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval

NAMES = {"gat": "GAT", "dot": "dot product along edges", "plain": "unfused attention", "fused": "fused attention"}
COSTS = {"edges": "pairs attended", "seconds": "time, s", "memory": "memory, MiB"}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Costs over the number of neighbors, and over that of nodes; nothing where nothing was measured."""
    size = (
        "Pairs attended, time and memory over the number of nodes",
        f"One layer, forward and backward, on one core; geometric mean over seeds, both axes logarithmic. GAT and the dot "
        f"product along edges see {recipe.degree} neighbors of each node.",
    )
    density = (
        "Pairs attended, time and memory as the graph fills",
        f"A graph of {recipe.filled} nodes, with up to {recipe.degrees[-1]} neighbors for each. Unfused attention attends to all "
        "nodes whatever the edges.",
    )
    shown = [drawn(evidence, "density", "neighbors", *density), drawn(evidence, "size", "nodes", *size)]
    return [figure for figure in shown if figure.rows]


def drawn(evidence: Evidence, name: str, over: Over, title: str, caption: str) -> Figure:
    """A curve for each layer, in a panel for each cost."""
    columns = ("layer", "measure", over, "cost")
    rows: list[Row] = [
        (NAMES[layer], panel, size, significant(cost))
        for layer in NAMES
        for measure, panel in COSTS.items()
        for size, cost in costs(evidence, layer, over, measure)
    ]
    spec = curves(
        columns, rows, x=over, y="cost", low=None, high=None, color="layer", colors=NAMES.values(), log_x=2, log_y=True,
        panel="measure", panels=list(COSTS.values()), panel_columns=3, same_y=False,
    )  # fmt: skip
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=spec)


def costs(evidence: Evidence, layer: str, over: Over, measure: str) -> list[tuple[int, float]]:
    """(size, geometric mean over seeds) where all seeds measured something positive."""
    results = evidence.of(Sweep, layer=layer, over=over)
    logs = ([math.log(value) if value > 0 else math.nan for value in result.values(measure)] for result in results)
    means = (mean_interval(values).estimate for values in zip(*logs, strict=False))
    sizes = read_task(Sweep, results[0]).sizes if results else ()
    return [(size, math.exp(mean)) for size, mean in zip(sizes, means, strict=False) if math.isfinite(mean)]
