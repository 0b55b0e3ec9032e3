"""The toy's verdict."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.records.runs import Figure, Findings, JobResult, Verdict
from support.toy import Recipe, jobs


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    asked, sums = len(jobs(recipe)), [result.value("sum") - result.seed for result in results]
    outcome = "not measured" if len(sums) < asked else "supported" if set(sums) == {2.0} else "refuted"
    return [
        Verdict(
            claim="X1", part="sum", kind="exact", statement="One and one is two.", verdict=outcome, effect=sum(sums), n=len(sums)
        )
    ]


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    rows = tuple((result.seed, result.value("sum")) for result in results)
    figure = Figure(name="sums", title="Sums", caption="By seed.", columns=("seed", "sum"), rows=rows)
    return Findings(asked="Is one and one two?", found=f"{len(results)} sums.", figures=(figure,))
