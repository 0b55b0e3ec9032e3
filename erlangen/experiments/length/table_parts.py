"""The parts of T7 about learned positions: that a table ends, what extends it, and rows that training did not reach."""

from __future__ import annotations

import math

from erlangen.experiments.kit.counts import missing
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Exact, Part
from erlangen.experiments.kit.tasks import read_task
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.length import Recipe
from erlangen.experiments.length.claims import said
from erlangen.experiments.length.evidence import Number, readers, rise, shown
from erlangen.experiments.length.near_parts import matters, setting, untrained
from erlangen.experiments.length.tasks import BLOCK, LONGEST, SEGMENTS, Answer, Shift
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import exceeds

EXTENDED = {"repeated last row": "clamped", "interpolated rows": "interpolated"}
ROWS = {"unseen rows": "unseen", "rarely trained rows": "rare"}


def table_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """A table as it is, extended, and row by row."""
    return [
        AllOf(
            **said(recipe.corpus, "learned positions"),
            parts=("the table ends", *EXTENDED),
            corrected="Learned positions do extend in one of these ways.",
        ),
        the_table_ends(recipe, evidence),
        *(extended(recipe, evidence, part) for part in EXTENDED),
        AllOf(
            **said(recipe.corpus, "unseen or rarely trained rows"),
            parts=tuple(ROWS),
            corrected="The loss is not higher on some of these rows.",
        ),
        *(rows(recipe, evidence, part) for part in ROWS),
    ]


def the_table_ends(recipe: Recipe, evidence: Evidence) -> Exact:
    """At how many lengths beyond its table a model answers all the same."""
    results = evidence.of(Answer)
    beyond = answered(results, "absolute", beyond=True)
    others = answered(results, "rotary", beyond=True) + answered(results, "alibi", beyond=True)
    within = [given for kind in ("absolute", "rotary", "alibi") for given in answered(results, kind, beyond=False)]
    return Exact(
        **said(recipe.corpus, "the table ends"),
        cases=len(beyond),
        count=sum(beyond),
        unit="lengths beyond the table at which it answers",
        missing=missing(evidence, Answer),
        checks=(
            Check("models with relative positions answer at these lengths", all(others)),
            Check("every model answers within its table", all(within)),
        ),
        corrected="It does answer.",
        test="the lab's GPT, asked at each length",
    )


def answered(results: list[JobResult], kind: str, *, beyond: bool) -> list[float]:
    """Whether it answers, at the lengths beyond the block or at those within it."""
    asked = [(read_task(Answer, result), result.values(f"{kind} answers")) for result in results]
    return [
        given
        for task, values in asked
        for length, given in zip(task.lengths, values, strict=False)
        if (length > task.block) == beyond
    ]


def extended(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """By how much the loss rises with an extended table, on the text."""
    arm, name = readers(evidence, "absolute"), f"{EXTENDED[part]} loss"
    return Part(
        **said(recipe.corpus, part),
        effect=rise(arm, name),
        region=exceeds(recipe.near, why=matters(recipe)),
        unit="nats of loss",
        untrained=untrained(recipe, arm, name),
        corrected=lambda change: f"It rises by {change.high:.2g} nats at most at {LONGEST} tokens.",
        note=setting(recipe, name),
    )


def rows(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """By how much the loss of the same windows is higher on other rows than on those that training used most."""
    arm = evidence.arm(Shift)
    usual, other = by_rows("trained"), by_rows(ROWS[part])
    return Part(
        **said(recipe.corpus, part),
        effect=shown(arm, lambda result: other(result) - usual(result), {"often trained rows,": usual, f"{part},": other}),
        region=exceeds(recipe.near, why=matters(recipe)),
        unit="nats of loss",
        untrained=arm.above(usual, recipe.text_fit),
        corrected=lambda change: f"It is higher by {change.high:.2g} nats at most.",
        note=f"On {text_title(recipe.corpus)}: the same windows of {BLOCK} characters, on other rows of one net's table. "
        f"Rarely: in one of {recipe.rarely} updates.",
    )


def by_rows(segment: str) -> Number:
    """The loss on a segment of the table; NaN where it was not measured."""

    def entry(result: JobResult) -> float:
        values = result.values("loss by rows")
        return values[SEGMENTS.index(segment)] if len(values) == len(SEGMENTS) else math.nan

    return entry
