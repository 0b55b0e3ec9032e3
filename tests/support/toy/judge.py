"""The toy's verdict and answer."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Exact
from erlangen.records.runs import Answer, Verdict
from support.toy import Recipe
from support.toy.tasks import Toy


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    sums = [result.value("sum") - result.seed for result in evidence.of(Toy)]
    return decide(
        [
            Exact(
                claim="X1",
                part="sum",
                of="report",
                statement="One and one is two.",
                cases=len(sums),
                count=sum(found != 2 for found in sums),
                missing=tuple(job.label() for job in evidence.missing),
            )
        ]
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    return [answer("X1", verdicts, f"One and one was two in {len(evidence.results)} sums.", figure="sums")]
