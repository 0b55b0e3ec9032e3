"""Length: its figures in their order; rows of a table and syntax, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, clipped, dots
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.length import Recipe
from erlangen.experiments.length.evidence import NAMES, share, tellers
from erlangen.experiments.length.length_figures import loss, registers, text
from erlangen.experiments.length.memory_figure import memory
from erlangen.experiments.length.near_parts import recalls
from erlangen.experiments.length.table_parts import by_rows
from erlangen.experiments.length.tasks import BLOCK, SEGMENTS, SYNTAX, TALE_BLOCK, Shift
from erlangen.records.runs import Figure

ROWS = dict(zip(SEGMENTS, ("often", "rarely", "never"), strict=True))
TITLES = {"order": "two words swapped", "agreement": "a word that does not agree"}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """The answers' figures first of each claim; those of which nothing was measured are left out."""
    first = [registers(recipe, evidence), text(recipe, evidence)]
    if not recalls(recipe, evidence):  # curves of nets that guess show nothing
        first.reverse()
    made = [*first, rows(recipe, evidence), syntax(evidence), memory(evidence)]
    return [figure for figure in made if figure.rows]


def rows(recipe: Recipe, evidence: Evidence) -> Figure:
    """The same windows, on rows of the table that training used more or less."""
    columns = ("rows of the table", "loss", "low", "high")
    arm = evidence.arm(Shift)
    means = {name: loss(arm.mean(by_rows(segment))) for segment, name in ROWS.items()}
    made = [(f"{name} trained", *cells(mean)) for name, mean in means.items() if math.isfinite(mean.estimate)]
    return Figure(
        name="rows",
        title="One text, three places in a table of learned positions",
        caption=f"Loss of the same windows of {BLOCK} characters of {text_title(recipe.corpus)}, in nats, where they stand on "
        f"rows that training used in almost every update (often), in one of {recipe.rarely} (rarely) and in none (never); mean "
        "and 95 % interval over seeds.",
        columns=columns,
        rows=tuple(made),
        spec=dots(
            columns, made, x="loss", y="rows of the table", title="loss in nats per character", order=[row[0] for row in made]
        ),
    )  # fmt: skip


def syntax(evidence: Evidence) -> Figure:
    """The share of pairs in which nets chose the grammatical tale, by positions and by what was made of it."""
    columns = ("pairs", "positions", "right", "low", "high")
    made: list[Row] = []
    for kind in SYNTAX:
        arm = tellers(evidence, kind).arm
        for name, title in {**TITLES, "": "all pairs"}.items():
            mean = clipped(arm.mean(name or share))
            made += [(title, NAMES[kind], *cells(mean))] if math.isfinite(mean.estimate) else []
    order = [*TITLES.values(), "all pairs"]
    return Figure(
        name="syntax",
        title="Who prefers the grammatical tale",
        caption="Percent of pairs in which a net gives the tale a higher probability than the same tale made ungrammatical, at "
        f"the trained length of {TALE_BLOCK} characters, each kind of positions at its best learning rate; mean and 95 % "
        "interval over seeds. Guessing has 50 %.",
        columns=columns,
        rows=tuple(made),
        spec=dots(
            columns, made, x="right", y="pairs", color="positions", title="% of pairs", order=order, reference=50,
            colors={NAMES[kind]: color for kind, color in zip(SYNTAX, PALETTE, strict=False)},
        ),
    )  # fmt: skip
