"""Results of jobs, as a judge sees them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Job, JobResult, Measurement

Measured = dict[str, float | tuple[float, ...]]


def result(job: Job, measurements: Sequence[Measurement]) -> JobResult:
    """As if the job had been run and its file read back."""
    return JobResult(
        key=job.key(""), experiment=job.experiment, params=job.params, seed=job.seed, precision=job.precision, device=job.device,
        measurements=tuple(measurements),
    )  # fmt: skip


def evidence_of(jobs: Iterable[Job], measure: Callable[[Job], Sequence[Measurement] | None]) -> Evidence:
    """Evidence from a world of known answer: `measure` makes up what each job measured, None where it failed."""
    results, missing = [], []
    for job in jobs:
        measured = measure(job)
        if measured is None:
            missing.append(job)
        else:
            results.append(result(job, measured))
    return Evidence(tuple(results), tuple(missing))


def spoiled(task: str, name: str, value: float | tuple[float, ...], **fields: object) -> Callable[[Job, Measured], Measured]:
    """A change of a world: one measurement of a task's jobs with these fields, `seed` among them, is replaced."""

    def change(job: Job, made: Measured) -> Measured:
        mine = job.params["task"] == task and all({**job.params, "seed": job.seed}.get(key) == fields[key] for key in fields)
        return {**made, name: value} if mine else made

    return change


def with_measurement(evidence: Evidence, name: str, value: float, jobs: int = 1) -> Evidence:
    """The evidence with one measurement changed, in the first so many of the jobs that have it."""
    left, results = jobs, []
    for kept in evidence.results:
        if left and any(m.name == name for m in kept.measurements):
            changed = tuple(replace(m, value=value) if m.name == name else m for m in kept.measurements)
            kept, left = replace(kept, measurements=changed), left - 1
        results.append(kept)
    assert left < jobs
    return replace(evidence, results=tuple(results))
