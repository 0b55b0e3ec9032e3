"""A book seen hundreds of times: figures, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.evidence import books, copied, tales
from erlangen.experiments.fairytales.tale_figures import choice_figure, told_figure
from erlangen.experiments.fairytales.tasks import CHARACTERS, WORDS
from erlangen.experiments.kit.evidence import Arm, Evidence, Quantity
from erlangen.experiments.kit.panels import PALETTE, Row, cells, clipped, curves, dots
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval

WRITERS = {
    "held_out": "held-out text",
    "stopped_published": "best step",
    "last_published": "last step",
    "stopped_plain": "best step, plain",
    "last_plain": "last step, plain",
}
COLORS = dict(zip(WRITERS.values(), (PALETTE[6], PALETTE[0], PALETTE[1], PALETTE[5], PALETTE[3]), strict=True))
LOSSES = {"curve_train": "training text, with dropout", "curve_validation": "held-out text"}
SHOWN = {"last_published": "net, trained to the end", "stopped_published": "net, stopped early", "held_out": "held-out pages"}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """What is memory, what is copied, the losses over training, and tales after few and after many."""
    nets, arms = books(evidence), [tales(evidence, arm) for arm in ("few", "many")]
    drawn = [memory_figure(nets), copied_figure(nets), loss_figure(nets), choice_figure(*arms), told_figure(*arms)]
    return [figure for figure in drawn if figure.rows]


def memory_figure(nets: Arm) -> Figure:
    """What a reader can see of what is written: copies, words, style."""
    columns = ("writer", "measure", "percent", "low", "high")
    measures = {"five-word phrases from the training text": copied, "words in the dictionary": words, "taken for the book": style}
    rows: list[Row] = [
        (writer, title, *cells(clipped(scaled)))
        for title, quantity in measures.items()
        for of, writer in SHOWN.items()
        if math.isfinite((scaled := percent(nets, quantity(of))).estimate)
    ]  # fmt: skip
    return Figure(
        name="memory",
        title="What a net writes after passages that it has not seen",
        caption="Percent of what is written; mean and 95 % interval over seeds. Held-out pages are how the book itself goes on. "
        "Taken for the book: by a classifier of function words, against technical English.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="percent", y="writer", order=list(SHOWN.values()), panel="measure", panels=list(measures),
            panel_columns=3, domain=(0, 100), title="%",
        ),
    )  # fmt: skip


def words(of: str) -> Quantity:
    """The share of words in the dictionary."""
    return f"{of}_words"


def style(of: str) -> Quantity:
    """The share of texts that are taken for the book's."""
    return f"{of}_taken_for_the_book"


def percent(nets: Arm, quantity: Quantity) -> Interval:
    """The mean of a share, in percent."""
    estimate, low, high, n = nets.mean(quantity)
    return Interval(100 * estimate, 100 * low, 100 * high, n)


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
