"""An evaluated language model as one self-contained page: learning curve, losses, what it wrote, and what of it is copied."""

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
SEEN, HELD_OUT = "train, with dropout", "validation"
NAMES = {"written": "what it wrote", "own": "how the passages go on"}


def evaluate_html(found: Evaluated) -> str:
    """The page as text."""
    made = environment()
    made.filters.update(printable=printable, loss=loss, percent=percent, pieces=pieces)
    figure = curve(found.history, found.view) if len(found.history) > 1 else None
    return made.get_template("evaluate.html.j2").render(
        found=found,
        summary=summary(found),
        figure=figure,
        has_numbers=has_numbers,
        names=NAMES,
        shown=found.copying.continuations[:SHOWN] if found.copying else (),
        vega=Markup(charts.script()) if figure else Markup(""),
        specs={} if figure is None else {"curve": finite(figure.spec)},
        light=charts.LIGHT,
        dark=charts.DARK,
    )


def loss(value: float | None) -> str:
    """'1.191'; an en dash where there is none."""
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def percent(share: float | None) -> str:
    """'1.44 %', in digits that show it; an en dash where there is none."""
    return "–" if share is None else f"{100 * share:.3g} %"


def pieces(text: str, marked: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it lies in a marked stretch."""
    edges = [0, *(edge for stretch in marked for edge in stretch), len(text)]
    return [(text[a:b], k % 2 == 1) for k, (a, b) in enumerate(pairwise(edges)) if a < b]


def summary(found: Evaluated) -> str:
    """The answer in a sentence or two."""
    first = {one.part: one for one in reversed(found.scores)}  # of each part the first evaluation
    parts = []
    if {"train", "validation"} <= first.keys():
        seen, unseen = first["train"], first["validation"]
        parts.append(
            f"{loss(seen.nats_per_token)} nats a token on text that it was trained on, "
            f"{loss(unseen.nats_per_token)} on text that it was not"
        )
        if unseen.above_floor is not None and unseen.floor:
            parts[-1] += f", {100 * unseen.above_floor / unseen.floor:.1f} % above the floor"
    elif first:
        one = next(iter(first.values()))
        parts.append(f"{loss(one.nats_per_token)} nats a token on {found.corpus}")
    by_words: dict[str, Share] = {}
    for share in found.copying.shares if found.copying else ():
        by_words.setdefault(share.texts, share)
    if by_words.keys() >= NAMES.keys():
        written, own = by_words["written"], by_words["own"]
        parts.append(
            f"of the phrases of {written.n} {written.unit} that it writes, {percent(written.share)} stand in its training text; "
            f"of the held-out text's own, {percent(own.share)}"
        )
    text = ". ".join(f"{part[:1].upper()}{part[1:]}" for part in parts)
    return f"{text}." if text else "Nothing was scored."


def curve(history: Sequence[Point], view: float | None) -> Figure:
    """Loss of train and validation by step; a rule at the least of validation."""
    best = min(history, key=lambda point: point.validation_loss)
    values = [
        {"step": point.step, "loss": value, "of": name}
        for point in history
        for name, value in ((SEEN, point.train_loss), (HELD_OUT, point.validation_loss))
    ]
    y = {"field": "loss", "type": "quantitative", "title": "nats a token", "scale": {"zero": False}, "axis": {"tickCount": 6}}
    x = {
        "field": "step",
        "type": "quantitative",
        "title": "step",
        "axis": {"grid": False, "tickCount": 8},
        "scale": {"nice": False},
    }
    color = {"field": "of", "type": "nominal", "title": None, "sort": [SEEN, HELD_OUT]}
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
    seen = f" {view:,.0f} steps show each token of the training text once." if view and view >= 1 else ""
    return Figure(
        name="curve",
        title="Learning curve",
        caption=f"Dashed: the least loss on validation, {loss(best.validation_loss)} after {best.step:,} steps. Train is the "
        f"mean over the batches since the point before, with dropout: early on it may lie above validation.{seen}",
        columns=("step", "train", "validation"),
        rows=tuple((point.step, loss(point.train_loss), loss(point.validation_loss)) for point in history),
        spec=spec,
    )
