"""Figures of what a grammar decides: choices between right and wrong, and tales that nets tell."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm
from erlangen.experiments.kit.panels import Row, cells, clipped, dots
from erlangen.records.runs import Figure

CHOICES = {
    "last_order": "order of two words",
    "last_kinds": "kind of a noun",
    "last_pronouns": "pronoun, of a hero named long before",
    "last_nouns": "noun, mentioned long before",
}
TOLD = {
    "last_published_grammatical": "grammatical tales",
    "last_published_copies": "copies of tales it saw",
    "last_published_grammatical_and_new": "grammatical and new tales",
    "last_published_followed": "part of a tale that the grammar follows",
}


def shares(arms: tuple[Arm, ...], measures: dict[str, str]) -> list[Row]:
    """A row for each arm and share, with its interval."""
    return [
        (arm.name, title, *cells(clipped(interval, 0, 1)))
        for arm in arms
        for name, title in measures.items()
        if math.isfinite((interval := arm.mean(name)).estimate)
    ]


def choice_figure(*arms: Arm) -> Figure:
    """Right against wrong in new tales, beside a coin's half."""
    columns, rows = ("trained on", "choice", "share", "low", "high"), shares(arms, CHOICES)
    return Figure(
        name="choices",
        title="Right and wrong in new tales",
        caption="Share of new tales in which a net gives the tale a higher probability than the same tale with one fault; "
        "mean and 95 % interval over seeds. Dashed: a coin.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="share", y="choice", order=list(CHOICES.values()), color="trained on",
            colors=[arm.name for arm in arms], title="share of right choices", reference=0.5,
        ),
    )  # fmt: skip


def told_figure(*arms: Arm) -> Figure:
    """What the grammar says of the tales told."""
    columns, rows = ("trained on", "measure", "share", "low", "high"), shares(arms, TOLD)
    return Figure(
        name="tales",
        title="Tales told after few tales and after many",
        caption="Shares of all tales that a net tells at temperature 0.7 and top-p 0.9; mean and 95 % interval over seeds.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="share", y="measure", order=list(TOLD.values()), color="trained on",
            colors=[arm.name for arm in arms], title="share",
        ),
    )  # fmt: skip
