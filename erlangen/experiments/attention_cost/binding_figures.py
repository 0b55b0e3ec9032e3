"""What binds attention: its pieces on whole matrices and on tiles, and the share of reads and writes over the width."""

from __future__ import annotations

import math

from erlangen.experiments.attention_cost import Recipe
from erlangen.experiments.attention_cost.readings import PIECES, device, share, together
from erlangen.experiments.attention_cost.tasks import Pieces
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, curves, dots
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval

WAYS = {"whole": "whole matrices", "tiled": "tiles in cache"}


def pieces_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The pieces of naive attention, whole and on tiles, and what reads and writes take at the peak of copies."""
    columns = ("piece", "computed on", "ms", "low", "high")
    results = evidence.of(Pieces)
    groups = {**{name: [piece] for piece, name in PIECES.items()}, "all three": list(PIECES), "a plain copy": ["copy"]}
    rows: list[Row] = []
    for name, pieces in groups.items():
        for way, title in WAYS.items():
            times = [1e3 * together(result, recipe.features, way, pieces) for result in results]
            if times and math.isfinite(mean_interval(times).estimate):
                rows.append((name, title, *cells(mean_interval(times))))
    return Figure(
        name="pieces",
        title="What binds: the pieces of attention on whole matrices, and on tiles that stay in cache",
        caption=f"Forward, at {recipe.pieces:,} tokens and d = {recipe.features}, on {device(evidence)}; mean and 95 % interval "
        "over seeds. Products and exponentials are the same both ways, so the gap between the two dots is what reads and writes "
        f"cost.{peaks(evidence)}",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="ms", y="piece", color="computed on", colors=list(WAYS.values()), order=list(groups),
            title="milliseconds",
        ),
    )  # fmt: skip


def peaks(evidence: Evidence) -> str:
    """The measured peaks, in words."""
    results = evidence.of(Pieces)
    copies = mean_interval([result.value("copy peak") for result in results]).estimate
    products = mean_interval([result.value("product peak") for result in results]).estimate
    if not (math.isfinite(copies) and math.isfinite(products)):
        return ""
    return f" Measured peaks: {copies / 1e9:.1f} GB/s of copies, {products / 1e9:.0f} billion multiply-adds a second."


def share_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The share of reads and writes over the width."""
    columns = ("d", "share", "low", "high")
    rows: list[Row] = []
    for width in recipe.widths:
        found = mean_interval([share(result, width) for result in evidence.of(Pieces)])
        if math.isfinite(found.estimate):
            rows.append((width, *cells(found)))
    drawn = [(*row, "naive attention") for row in rows]
    return Figure(
        name="share",
        title="The share of reads and writes, as heads grow wider",
        caption=f"Of naive attention's forward pass at {recipe.pieces:,} tokens, on {device(evidence)}; mean and 95 % interval "
        "over seeds. Above 50 %, reads and writes take longer than arithmetic. Wider heads do more arithmetic on as many scores.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            (*columns, "attention"), drawn, x="d", y="share", color="attention", colors=["naive attention"], log_x=2,
            y_title="share, %", domain=(0, 100),
        ),
    )  # fmt: skip
