"""Transformers as graph networks: tables of what was counted and how the arms were fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from erlangen.experiments.transformer_as_graph import ARMS
from erlangen.experiments.transformer_as_graph.evidence import Trained
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult


def checks_table(layer: Sequence[JobResult], order: Sequence[JobResult]) -> Figure:
    """What was counted for G9."""
    rows: list[tuple[Scalar, ...]] = []

    def total(found: Sequence[JobResult], name: str) -> int:
        values = [result.value(name) for result in found]
        return int(sum(value for value in values if math.isfinite(value)))

    if layer:
        for kind, words in (("complete", "complete graph"), ("causal", "directed graph, causal mask")):
            worst = max(result.value(f"{kind}_error") for result in layer)
            rows.append(
                (
                    f"layer on the {words}",
                    "tensors equal to torch's",
                    total(layer, f"{kind}_cases") - total(layer, f"{kind}_wrong"),
                    total(layer, f"{kind}_cases"),
                    f"{worst:.1e}",
                )
            )
        rows.append(("edges of the causal graph", "edges that lead back", total(layer, "edges_back"), total(layer, "edges"), "-"))
        least = min(result.value("loops_error") for result in layer)
        rows.append(
            (
                "complete graph without loops",
                "layers equal to torch's",
                total(layer, "loops_equal"),
                total(layer, "loops_cases"),
                f"{least:.1e}, the least",
            )
        )
    if order:
        for kind, words in (("gat", "GAT"), ("dot", "dot product")):
            rows.append(
                (
                    f"order of the tokens, {words}",
                    "cases in which two nodes disagree",
                    total(order, f"{kind}_turned"),
                    total(order, "cases"),
                    "-",
                )
            )
    return Figure(
        name="checks",
        title="The layer as a graph network, counted",
        caption="float64, random parameters throughout. Errors relative to the largest entry of each tensor.",
        columns=("check", "counted", "number", "of", "error"),
        rows=tuple(rows),
    )  # fmt: skip


def relabelings_table(found: Sequence[JobResult]) -> Figure:
    """Which relabelings the layer commutes with, graph by graph."""
    names = ("complete", "causal", "ring", "star", "self")
    rows = tuple(
        (
            name,
            int(found[0].value(f"{name}_cases")),
            int(found[0].value(f"{name}_keeping")),
            f"{fmean(result.value(f'{name}_commuting') for result in found):g}",
            f"{max(result.value(f'{name}_error') for result in found):.1e}",
        )
        for name in names
    )
    return Figure(
        name="relabelings",
        title="Which relabelings of five tokens the layer commutes with",
        caption=f"Mean of {len(found)} random layers. A relabeling keeps a graph where it maps its edges onto themselves.",
        columns=("graph", "relabelings", "that keep the graph", "commuting", "largest error among those, of the spread"),
        rows=rows,
    )


def arms_table(trained: Trained) -> Figure:
    """How every arm was fitted, over all block models."""
    rows: list[tuple[Scalar, ...]] = []
    for arm in ARMS:
        fits, dropouts, spread = [], [], []
        for classes in trained.recipe.classes:
            for point in trained.recipe.points(classes):
                results = list(trained.at(classes, point, arm).values())
                if results:
                    fits.append(fmean(result.value("train_accuracy") for result in results))
                dropouts += [result.value("dropout") for result in results]
                spread += [value for result in results for value in result.values("nodes_attended")]
        if fits:
            rows.append(
                (
                    arm, round(min(fits), 1), round(max(fits), 1), round(fmean(dropouts), 2),
                    round(fmean(spread), 1) if spread else "-",
                )
            )  # fmt: skip
    return Figure(
        name="arms",
        title="How the arms were fitted",
        caption="Training accuracy in percent of the weights chosen by the validation nodes, least and largest mean over block "
        f"models (asked for: {trained.recipe.fit:g}); mean of the dropout chosen, of two; nodes that attention is spread over, "
        "e to its entropy.",
        columns=("arm", "training accuracy, least", "largest", "dropout", "nodes attended to"),
        rows=tuple(rows),
    )
