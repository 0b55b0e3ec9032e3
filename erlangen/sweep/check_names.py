"""Results that notice a mistyped measurement: a name that no job measured would otherwise read as a number that is not finite."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping

from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Job, JobResult


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamedResult(JobResult):
    """A result whose readers raise ValueError for a name that is not among the `names` that the jobs of its run measured."""

    names: frozenset[str]

    def value(self, name: str) -> float:
        self.check(name)
        return super().value(name)

    def values(self, name: str) -> tuple[float, ...]:
        self.check(name)
        return super().values(name)

    def check(self, name: str) -> None:
        if name not in self.names:
            close = difflib.get_close_matches(name, self.names, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"they measured {', '.join(sorted(self.names))}"
            raise ValueError(f"no job measured {name!r}; {hint}")


def with_names(results: Mapping[str, JobResult], missing: Mapping[str, Job]) -> Evidence:
    """The evidence of a run, with results that check the names under which they are read.

    Where a task has no result at all, the jobs that failed may have had any name: then nothing is checked.
    """
    kept, lacking = tuple(results.values()), tuple(missing.values())
    if {job.params.get("task") for job in lacking} - {result.params.get("task") for result in kept}:
        return Evidence(kept, lacking)
    names = frozenset(measurement.name for result in kept for measurement in result.measurements)
    fields = [field.name for field in dataclasses.fields(JobResult)]
    named = (NamedResult(names=names, **{field: getattr(result, field) for field in fields}) for result in kept)
    return Evidence(tuple(named), lacking)
