"""The page of an evaluated language model, as one self-contained file: learning curve, losses, and its copied or new text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from erlangen.records.evaluation import Evaluated, Point, Share
from erlangen.records.files import finite
from erlangen.records.runs import Figure
from erlangen.report import charts
from erlangen.report.look_page import printable
from erlangen.report.page import environment, has_numbers

SHOWN = 12  # continuations on the page
NAMES = {"written": "the model's text", "own": "the real continuation"}


def evaluate_html(evaluated: Evaluated) -> str:
    """The page as HTML."""
    templates = environment()
    templates.filters.update(printable=printable, loss=loss, percent=percent, pieces=pieces)
    figure = curve(evaluated.history, evaluated.view, evaluated.dropout) if len(evaluated.history) > 1 else None
    return templates.get_template("evaluate.html.j2").render(
        evaluated=evaluated,
        summary=summary(evaluated),
        figure=figure,
        has_numbers=has_numbers,
        names=NAMES,
        shown=evaluated.copying.continuations[:SHOWN] if evaluated.copying else (),
        vega=Markup(charts.script()) if figure else Markup(""),
        specs={} if figure is None else {"curve": finite(figure.spec)},
        light=charts.LIGHT,
        dark=charts.DARK,
    )


def loss(value: float | None) -> str:
    """A loss as '1.191'; an en dash for None."""
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share as '1.44 %', with three significant digits; an en dash for None."""
    return "–" if share is None else f"{100 * share:.3g} %"


def pieces(text: str, marked: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is within a marked stretch."""
    edges = [0, *(edge for stretch in marked for edge in stretch), len(text)]
    return [(text[a:b], k % 2 == 1) for k, (a, b) in enumerate(pairwise(edges)) if a < b]


def summary(evaluated: Evaluated) -> str:
    """The answer in one to three sentences."""
    first = {score.part: score for score in reversed(evaluated.scores)}  # the first evaluation of each part
    sentences = []
    if {"train", "validation"} <= first.keys():
        seen, unseen = first["train"], first["validation"]
        sentences.append(
            f"The loss is {loss(seen.nats_per_token)} nats per token on the training text and "
            f"{loss(unseen.nats_per_token)} on held-out text"
        )
        if unseen.above_floor is not None and unseen.floor:
            sentences[-1] += f", which is {100 * unseen.above_floor / unseen.floor:.1f} % above the floor"
    elif first:
        score = next(iter(first.values()))
        sentences.append(f"The loss is {loss(score.nats_per_token)} nats per token on {evaluated.corpus}")
    by_words: dict[str, Share] = {}
    for share in evaluated.copying.shares if evaluated.copying else ():
        by_words.setdefault(share.texts, share)
    if by_words.keys() >= NAMES.keys():
        written, real = by_words["written"], by_words["own"]
        sentences.append(
            f"Of the phrases of {written.n} {written.unit} that the model writes, {percent(written.share)} occur in its training "
            f"text; of those in the real continuations, {percent(real.share)} do"
        )
    return " ".join(f"{sentence}." for sentence in sentences) or "Nothing was scored."


def curve(history: Sequence[Point], view: float | None, dropout: float = 0.0) -> Figure:
    """The training and validation loss by step, with a rule at the lowest validation loss."""
    best = min(history, key=lambda point: point.validation_loss)
    lines = ["train, with dropout" if dropout else "train", "validation"]
    values = [
        {"step": point.step, "loss": value, "of": name}
        for point in history
        for name, value in zip(lines, (point.train_loss, point.validation_loss), strict=True)
    ]
    y = {"field": "loss", "type": "quantitative", "title": "nats per token", "scale": {"zero": False}, "axis": {"tickCount": 6}}
    x = {
        "field": "step",
        "type": "quantitative",
        "title": "step",
        "axis": {"grid": False, "tickCount": 8},
        "scale": {"nice": False},
    }
    color = {"field": "of", "type": "nominal", "title": None, "sort": lines}
    spec: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": 280,
        "layer": [
            {"data": {"values": [{"step": best.step}]},
             "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#888888"}, "encoding": {"x": x}},
            {"data": {"values": values}, "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 18}},
             "encoding": {"x": x, "y": y, "color": color, "tooltip": [{"field": name} for name in ("of", "step", "loss")]}},
        ],
    }  # fmt: skip
    seen = f" In {view:,.0f} steps, each token of the training text is seen once on average." if view and view >= 1 else ""
    return Figure(
        name="curve",
        title="Learning curve",
        caption=f"Dashed line: the lowest validation loss, {loss(best.validation_loss)} after {best.step:,} steps. The training "
        f"loss is the mean over the batches since the previous point{', with dropout' if dropout else ''}, so it may at first be "
        f"above the validation loss.{seen}",
        columns=("step", "train", "validation"),
        rows=tuple((point.step, loss(point.train_loss), loss(point.validation_loss)) for point in history),
        spec=spec,
    )
