"""Attention among noisy neighbors: two classes at every distance, and the table of the weights that were counted."""

from __future__ import annotations

from itertools import product

from erlangen.experiments.kit.counts import total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, clipped, curves
from erlangen.experiments.noisy_neighbors.claims import NAMES
from erlangen.experiments.noisy_neighbors.evidence import class_arm
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.tasks import PlantedSeparate, TrainedWeights, Weights
from erlangen.records.runs import Figure

BUILT = "constructed attention"
COLORS = dict(zip((NAMES["gcn"], NAMES["gat"], NAMES["gatv2"], BUILT), (*PALETTE[:3], PALETTE[-1]), strict=True))
RELATIVE = "attention, relative to equal weights"
SHOWN = {
    "attention": (
        RELATIVE,
        "Attention on neighbors of the other class",
        "Their attention over their share of the neighbors: equal weights give 1. Fountoulakis et al. (2023) construct an "
        "attention from the class means and prove that it tells classes apart well above a distance of 1, and that none does far "
        "below.",
    ),
    "test_accuracy": (
        "accuracy, %",
        "Accuracy as the class means move apart",
        "Ma et al. (2024) state that attention helps where structure is noisier than features, on the right of the last panel, "
        "and that graph convolution is better where features are noisier, on the left of the first.",
    ),
}  # fmt: skip


def separation(recipe: Recipe, evidence: Evidence, what: str) -> Figure:
    """One measurement over the distance of the class means, with bands; a panel for each share of the other class."""
    head, title, caption = SHOWN[what]
    columns = ("layer", "neighbors", "distance", head, "low", "high")
    rows: list[Row] = []
    for other, distance in product(recipe.others, recipe.distances):
        panel = f"{100 * other:.0f} % of neighbors from the other class"
        arms = {NAMES[layer]: class_arm(evidence, layer, distance=distance, other=other) for layer in ("gcn", "gat", "gatv2")}
        if what == "attention":
            del arms[NAMES["gcn"]]
            arms[BUILT] = evidence.arm(PlantedSeparate, distance=distance, other=other)
        bounds = (0.0, 100.0) if what == "test_accuracy" else (0.0, float("inf"))
        rows += [
            (name, panel, distance, *cells(clipped(arm.mean(what), *bounds))) for name, arm in arms.items() if arm.results
        ]  # fmt: skip
    drawn = {name: COLORS[name] for name in dict.fromkeys(str(row[0]) for row in rows)}
    names = list(dict.fromkeys(str(row[1]) for row in rows))
    chart = curves(
        columns, rows, x="distance", y=head, color="layer", colors=drawn, log_x=2, panel="neighbors", panels=names,
        x_title="distance of the class means, in √(log n) standard deviations",
    )  # fmt: skip
    return Figure(
        name=f"classes-{what.replace('_', '-')}", title=title, caption=caption, columns=columns, rows=tuple(rows), spec=chart
    )


def weights(evidence: Evidence) -> Figure:
    """What was counted of the weights, layer by layer."""
    counts, rows = evidence.of(Weights), list[Row]()
    for name, title in (("mean", "mean form"), ("gcn", "GCN"), ("gat", "GAT"), ("gatv2", "GATv2")):
        trained = evidence.of(TrainedWeights, form=name)
        row = [counted(total(counts, f"{name}_{some}"), total(counts, f"{name}_{of}")) for some, of in COUNTS]
        row += [counted(total(trained, some), total(trained, of)) for some, of in COUNTS[:2]]
        rows.append((title, *row))
    return Figure(
        name="weights",
        title="By which weights a node listens",
        caption="Karate club and block models with random features and parameters, and nets trained on block models; in float64. "
        "Orders: pairs of neighbors and of nodes that ask, on complete graphs, that disagree which neighbor comes first.",
        columns=(
            "layer", "nodes with unequal weights", "edges whose weight follows the features", "orders that differ",
            "nodes with unequal weights, trained", "edges whose weight follows the features, trained",
        ),
        rows=tuple(rows) if counts else (),
    )  # fmt: skip


COUNTS = (("unequal", "nodes"), ("changed", "edges"), ("turned", "pairs"))


def counted(some: float, of: float) -> str:
    """'3 of 8', or '-' where nothing was counted."""
    return f"{some:.0f} of {of:.0f}" if of > 0 else "-"
