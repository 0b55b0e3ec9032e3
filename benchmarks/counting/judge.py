"""Whether they counted."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Exact
from erlangen.records.runs import Answer, Verdict

from . import Recipe
from .tasks import Count


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    counts = [result.value("count") for result in evidence.of(Count)]
    missing = tuple(job.label() for job in evidence.missing)
    part = Exact(
        claim="COUNT", part="count", of="claim", statement="Every job counted to the end.", cases=len(counts),
        count=sum(found != recipe.steps for found in counts), missing=missing,
    )  # fmt: skip
    return decide([part])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    return [answer("COUNT", verdicts, f"{len(evidence.results)} jobs counted to the end.")]
