"""Compute what plans still lack: the jobs of all of them as one pool, the longest first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager, closing
from typing import Protocol, TypeAlias

from erlangen.records.runs import Job, JobResult
from erlangen.sweep.executor import Executor
from erlangen.sweep.local import Done, Failed
from erlangen.sweep.plan import Plan


class Progress(Protocol):
    """Shows how far a run is; `advance` is called for every job that ends."""

    def advance(self, job: Job) -> object: ...


ProgressFactory: TypeAlias = Callable[[Collection[Job], int], AbstractContextManager[Progress]]


def compute_missing(
    plans: Sequence[Plan],
    executor: Executor,
    workers: int,
    timeout: float | None,
    say: Callable[[str], None],
    progress: ProgressFactory,
) -> Generator[tuple[Plan, tuple[Failed, ...]], None, None]:
    """Compute the jobs that have no result, showing progress. Yields each plan and its failed jobs once its last job has ended.

    Each result, or the reason why there is none, is written as it comes.
    """
    homes = {id(job): (plan, key) for plan in plans for key, job in plan.todo.items()}
    left, failed = Counter(plan.name for plan, _ in homes.values()), defaultdict[str, list[Failed]](list)
    jobs = sorted((job for plan in plans for job in plan.todo.values()), key=lambda job: -job.seconds)
    with closing(executor.execute(jobs, workers, timeout)) as outcomes, progress(jobs, workers) as shown:
        yield from ((plan, ()) for plan in plans if not plan.todo)
        for outcome in outcomes:
            plan, key = homes[id(outcome.job)]
            keep(outcome, plan, key)
            if isinstance(outcome, Failed):
                failed[plan.name].append(outcome)
                say(f"failed: {outcome.job.label()}: {outcome.reason}; details in {plan.store.failure(key)}")
            shown.advance(outcome.job)
            left[plan.name] -= 1
            if not left[plan.name]:
                yield plan, tuple(failed[plan.name])


def keep(outcome: Done | Failed, plan: Plan, key: str) -> None:
    """Write a job's file."""
    job = outcome.job
    if isinstance(outcome, Failed):
        plan.store.save_failure(key, f"{job.label()}\n{outcome.reason}\n\n{outcome.details}")
        return
    plan.store.save(
        JobResult(
            key=key, experiment=job.experiment, params=job.params, seed=job.seed, precision=job.precision, device=job.device,
            measurements=tuple(outcome.measurements), seconds=round(outcome.seconds, 2), machine=outcome.machine,
        )
    )  # fmt: skip
