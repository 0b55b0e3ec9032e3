"""A book seen hundreds of times: figures, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.evidence import COPIES, GRAMMATICAL, NEW, books, copied, tales
from erlangen.experiments.fairytales.tasks import CHARACTERS, WORDS
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, clipped, curves, dots
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval

WRITERS = {
    "held_out": "held-out text",
    "stopped_published": "best step",
    "last_published": "last step",
    "stopped_plain": "best step, plain",
    "last_plain": "last step, plain",
}
COLORS = dict(zip(WRITERS.values(), (PALETTE[6], PALETTE[0], PALETTE[1], PALETTE[5], PALETTE[3]), strict=True))
LOSSES = {"curve_train": "training text, with dropout", "curve_validation": "held-out text"}
MEASURES = {
    GRAMMATICAL: "grammatical tales",
    COPIES: "copies of tales it saw",
    NEW: "grammatical and new tales",
    "last_published_followed": "part of a tale that the grammar follows",
}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """What is copied, the losses over training, and tales after few and after many."""
    nets = books(evidence)
    drawn = [copied_figure(nets), loss_figure(nets), tale_figure(tales(evidence, "few"), tales(evidence, "many"))]
    return [figure for figure in drawn if figure.rows]


def copied_figure(nets: Arm) -> Figure:
    """The share of n-grams found in the training text, against n."""
    columns = ("writer", "unit", "n", "share", "low", "high")
    rows: list[Row] = [
        (writer, unit, n, *cells(clipped(share, 0, 1)))
        for of, writer in WRITERS.items()
        for unit, lengths in (("words", WORDS), ("characters", CHARACTERS))
        for n in lengths
        if math.isfinite((share := nets.mean(copied(of, unit, n))).estimate)
    ]
    return Figure(
        name="copied",
        title="How much of what a net writes is in its training text",
        caption="Share of phrases of so many words or characters; mean and 95 % interval over seeds. Plain: temperature 1, no "
        "top-p. The gray line is what held-out text has in common with the training text.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="n", y="share", color="writer", colors=COLORS, x_title="length of the phrase",
            y_title="share found in the training text", panel="unit", panels=("words", "characters"), same_y=False,
        ),
    )  # fmt: skip


def loss_figure(nets: Arm) -> Figure:
    """Losses over training, against the views of each character."""
    columns = ("text", "views", "loss", "low", "high")
    results = [result for result in nets.results.values() if result.values("curve_views")]
    views = results[0].values("curve_views") if results else ()
    rows: list[Row] = [
        (text, round(seen, 2), *cells(clipped(mean_interval(losses), 0, math.inf)))
        for name, text in LOSSES.items()
        for seen, losses in zip(views, zip(*(result.values(name) for result in results), strict=False), strict=False)
    ]
    return Figure(
        name="losses",
        title="Loss over training",
        caption="Mean and 95 % interval over seeds. The loss on held-out text is least after "
        f"{nets.mean('best_views').estimate:.3g} views on average.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="views", y="loss", color="text", colors=LOSSES.values(), x_title="views of each character",
            y_title="nats per character",
        ),
    )  # fmt: skip


def tale_figure(*arms: Arm) -> Figure:
    """What the grammar says of the tales told."""
    columns = ("trained on", "measure", "mean", "low", "high")
    rows: list[Row] = [
        (arm.name, title, *cells(clipped(interval, 0, 1)))
        for arm in arms
        for name, title in MEASURES.items()
        if math.isfinite((interval := arm.mean(name)).estimate)
    ]
    colors = [arm.name for arm in arms]
    return Figure(
        name="tales",
        title="Tales told after few tales and after many",
        caption="Shares of all tales that a net tells at temperature 0.7 and top-p 0.9; mean and 95 % interval over seeds.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="mean", y="measure", order=list(MEASURES.values()), color="trained on", colors=colors, title="share"
        ),
    )
