"""Transformers as graph networks: what attention along the edges gains over attention to every node, graph by graph."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence, difference
from erlangen.experiments.kit.panels import Row, cells, dots
from erlangen.experiments.transformer_as_graph import Recipe
from erlangen.experiments.transformer_as_graph.tasks import Cora, CoraArm, Train
from erlangen.records.runs import Figure

NETWORKS: dict[CoraArm, str] = {"gat": "GAT", "graph": "the same Transformer, along the edges"}


def gains_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Differences in test accuracy, of GAT and of the Transformer itself."""
    columns = ("graph", "along the edges", "gain", "low", "high")
    rows: list[Row] = []
    for graph, arms in compared(recipe, evidence).items():
        for name, words in NETWORKS.items():
            gain = difference(arms[name], arms["complete"], "test_accuracy").interval(0.95)
            if math.isfinite(gain.estimate):
                rows.append((graph, words, *cells(gain)))
    return Figure(
        name="gains",
        title="What attention along the edges gains over a Transformer that attends to every node",
        caption="Difference in test accuracy, mean and 95 % interval over seeds. Right of the dashed line attention along the "
        "edges is more accurate. In a block model with k classes an edge says nothing of the class where 1 / k of the edges "
        "join nodes of one class.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="gain", y="graph", color="along the edges", colors=NETWORKS.values(), reference=0.0,
            title="points of test accuracy", order=list(compared(recipe, evidence)),
        ),
    )  # fmt: skip


def compared(recipe: Recipe, evidence: Evidence) -> dict[str, dict[CoraArm, Arm]]:
    """Graph, in words -> its three arms."""
    names: tuple[CoraArm, ...] = (*NETWORKS, "complete")
    found: dict[str, dict[CoraArm, Arm]] = {}
    if recipe.cora_seeds:
        found["Cora"] = {name: evidence.arm(Cora, arm=name) for name in names}
    for classes in recipe.classes:
        for share in recipe.points(classes):
            graph = f"{classes} classes, {100 * share:g} % of edges within a class"
            found[graph] = {name: evidence.arm(Train, classes=classes, homophily=share, arm=name) for name in names}
    return found
