"""The parts of T8: what is counted in the lab's models."""

from __future__ import annotations

import math

from erlangen.experiments.kit.counts import missing, numbers
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import AnyPart, Check, Exact
from erlangen.experiments.length.claims import said
from erlangen.experiments.length.tasks import Memory
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_most

SAVING = ("rotary", "alibi", "t5")
TENTH = 0.1  # of a table: what stores more than this hardly saves it
BYTES = 4  # of a float32
SMALL = 1.0  # percent of all parameters


def memory_parts(corpus: str, evidence: Evidence) -> list[AnyPart]:
    """What is stored, its share of a model, and what is computed in its place."""
    results = evidence.of(Memory)
    return [
        no_table(corpus, evidence, results),
        share_in_gpt2(corpus, evidence, results),
        computed(corpus, evidence, results, "rotary's table", ("rotary",)),
        computed(corpus, evidence, results, "the bias", ("alibi", "t5")),
    ]


def no_table(corpus: str, evidence: Evidence, results: list[JobResult]) -> Exact:
    """In how many models a kind of relative positions stores more than a tenth of what the table stores."""
    tables = numbers(results, "absolute stored")
    stored = [(value, table) for kind in SAVING for value, table in zip(numbers(results, f"{kind} stored"), tables, strict=False)]
    return Exact(
        **said(corpus, "no table"),
        cases=len(stored) if len(stored) == len(SAVING) * len(results) else math.nan,
        count=sum(value > TENTH * table for value, table in stored),
        unit="models and kinds that store more",
        missing=missing(evidence, Memory),
        checks=(sees_the_table(results),),
        test="parameters and buffers, counted in models that are built",
    )


def sees_the_table(results: list[JobResult]) -> Check:
    """Positive control: the count finds a table of block × width where there is one."""
    stored, rows = numbers(results, "absolute stored"), numbers(results, "rows")
    return Check("the count finds block × width numbers where there is a table", stored == rows if rows else None)


def shares(results: list[JobResult], family: str = "") -> dict[str, float]:
    """Model -> the table's share of all parameters, in percent; of models whose names begin with `family`."""
    return {
        str(result.params["preset"]): 100 * result.value("absolute stored") / result.value("model")
        for result in results
        if str(result.params["preset"]).startswith(family)
    }


def share_in_gpt2(corpus: str, evidence: Evidence, results: list[JobResult]) -> Exact:
    """The largest share of the table in models of GPT-2's sizes."""
    found = shares(results, "gpt2")
    return Exact(
        **said(corpus, "share in GPT-2"),
        cases=len(found),
        count=max(found.values(), default=math.nan) if all(map(math.isfinite, found.values())) else math.nan,
        region=at_most(SMALL, why="what is saved by it changes no choice of a machine"),
        unit="% of all parameters, the largest of the sizes",
        missing=missing(evidence, Memory),
        checks=(sees_the_table(results),),
        corrected="It is more in at least one of them.",
        test="parameters and buffers, counted in models that are built",
    )


def computed(corpus: str, evidence: Evidence, results: list[JobResult], part: str, kinds: tuple[str, ...]) -> Exact:
    """In how many models what positions compute in a call takes as many bytes as the table or more."""
    tables = numbers(results, "absolute stored")
    made = [(value, table) for kind in kinds for value, table in zip(numbers(results, f"{kind} computed"), tables, strict=False)]
    larger = sum(value >= BYTES * table for value, table in made)
    return Exact(
        **said(corpus, part),
        cases=len(made) if len(made) == len(kinds) * len(results) else math.nan,
        count=larger,
        unit="models and kinds that take as many bytes or more",
        missing=missing(evidence, Memory),
        checks=(sees_the_table(results), Check("something is computed", all(value > 0 for value, _ in made) if made else None)),
        corrected=f"In {larger} of {len(made)} cases it takes more: heads × context² numbers against context × width.",
        test="bytes that a call at the full context shares among its layers, beyond those without positions; float32, on a CPU",
        note="FlexAttention, which the lab uses on a GPU, makes the bias on the way and never holds it."
        if "alibi" in kinds
        else "",
    )
