"""Results of jobs, as a judge sees them."""

from collections.abc import Callable, Iterable, Sequence

from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Job, JobResult, Measurement


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
