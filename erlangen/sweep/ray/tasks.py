"""The tasks that are with Ray: a bounded number at a time, and once more each that it lost.

A task computes one job, or jobs that belong together; its outcome comes back to this process, which alone writes files. Retries
are counted here, as on one machine. A machine that may not compute the jobs of an experiment gets no task from then on.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from erlangen.records.runs import Job
from erlangen.sweep.local import ATTEMPTS, Done, Failed
from erlangen.sweep.ray.calls import LOST, POLL, TASK, Machines, ended, patient
from erlangen.sweep.ray.node import Needs, Refused

if TYPE_CHECKING:
    from erlangen.sweep.ray.executor import Ray

NOWHERE = "no machine of the Ray cluster is left that can compute it"
PENDING = 100  # tasks beyond those that can run: no core waits for this process, and an autoscaler sees them


class Tasks:
    """Jobs on their way: those that wait, and the tasks that are with Ray, `limit` at a time or as many as keep it busy."""

    def __init__(
        self,
        cluster: Ray,
        bundles: Sequence[tuple[Job, ...]],
        needs: Mapping[str, Needs],
        timeout: float | None,
        limit: int | None,
        exclusive: bool = False,
    ) -> None:
        self.cluster, self.needs, self.timeout, self.limit, self.exclusive = cluster, needs, timeout, limit, exclusive
        self.waiting, self.deaths = deque(bundles), Counter[int]()
        self.tasks: dict[Any, tuple[Job, ...]] = {}
        self.refused: dict[str, dict[str, str]] = {name: {} for name in needs}  # experiment -> machine -> why
        self.machines: dict[str, Machines] = {bundle[0].device: {} for bundle in bundles}  # device -> those that can
        self.looked, self.room = float("-inf"), 0
        self.lost = Counter[str]()  # cause -> jobs that run once more, since it was last said

    def outcomes(self) -> Generator[Done | Failed, None, None]:
        """Each job's outcome as it ends."""
        try:
            while self.waiting or self.tasks:
                if time.monotonic() - self.looked > POLL:
                    yield from self.look()
                self.submit()
                for task in ended(list(self.tasks)):
                    yield from self.take(task, self.tasks.pop(task))
                self.tell_of_lost()
        finally:
            for task in self.tasks:
                ray.cancel(task, force=True)

    def look(self) -> Generator[Failed, None, None]:
        """See which machines there are and how many tasks keep them busy. Jobs that none of them can compute have failed."""
        self.looked = time.monotonic()
        self.machines = {device: self.cluster.machines(device) for device in self.machines}
        self.room = self.limit or 2 * max(map(self.cluster.workers, self.machines)) + PENDING
        stranded = {id(jobs): jobs for jobs in [*self.tasks.values(), *self.waiting] if not self.places(jobs[0])}
        for task in [task for task, jobs in self.tasks.items() if id(jobs) in stranded]:
            ray.cancel(task, force=True)
            del self.tasks[task]
        self.waiting = deque(jobs for jobs in self.waiting if id(jobs) not in stranded)
        for jobs in stranded.values():
            why = "; ".join(self.refused[jobs[0].experiment].values()) or NOWHERE
            yield from (Failed(job, why) for job in jobs)

    def places(self, job: Job) -> Machines:
        """The machines that can and may compute a job."""
        refused = self.refused[job.experiment]
        return {name: has for name, has in self.machines[job.device].items() if name not in refused}

    def submit(self) -> None:
        """Give Ray the next jobs."""
        while self.waiting and len(self.tasks) < self.room:
            jobs = self.waiting.popleft()
            fresh = self.exclusive or jobs[0].device != "cpu"  # no job has a clock or a GPU's memory that another has used
            task = TASK.options(**self.place(jobs[0])).remote(jobs, self.needs[jobs[0].experiment], self.timeout, fresh)
            self.tasks[task] = jobs

    def place(self, job: Job) -> dict[str, Any]:
        """What Ray is asked for: a share of any machine that may compute it, or all cores of the largest."""
        gpus, refused = self.cluster.gpus(job.device), self.refused[job.experiment]
        if self.exclusive:
            name, has = next(iter(self.places(job).items()))
            return {
                "num_cpus": has["CPU"],
                "num_gpus": gpus,
                "scheduling_strategy": NodeAffinitySchedulingStrategy(name, soft=False),
            }
        others = {"ray.io/node-id": f"!in({', '.join(refused)})"} if refused else {}
        return {"num_cpus": self.cluster.job_cpus, "num_gpus": gpus, "label_selector": others}

    def take(self, task: Any, jobs: tuple[Job, ...]) -> Generator[Done | Failed, None, None]:
        """What a task came to: outcomes, or jobs that must run once more."""
        try:
            machine, found = patient(ray.get, task)
        except tuple(LOST) as error:
            yield from self.again(jobs, next(cause for kind, cause in LOST.items() if isinstance(error, kind)))
        except RayError as error:
            cause = error.cause if isinstance(error, RayTaskError) else error
            reason = f"{type(cause).__name__}: {cause}".splitlines()[0]
            yield from (Failed(job, reason, str(error)) for job in jobs)
        else:
            if isinstance(found, Refused):
                self.refuse(jobs[0].experiment, machine, found.reason)
                self.waiting.appendleft(jobs)
            else:
                yield from (replace(outcome, job=job) for outcome, job in zip(found, jobs, strict=True))

    def again(self, jobs: tuple[Job, ...], cause: str) -> Generator[Failed, None, None]:
        """Jobs whose worker or machine is gone: each by itself once more, or failed."""
        self.looked = float("-inf")
        self.deaths.update(map(id, jobs))
        once_more = [(job,) for job in jobs if self.deaths[id(job)] < ATTEMPTS]
        self.waiting.extendleft(reversed(once_more))
        self.lost[cause] += len(once_more)
        yield from (Failed(job, f"{cause}, twice") for job in jobs if self.deaths[id(job)] >= ATTEMPTS)

    def tell_of_lost(self) -> None:
        """One line for each cause, however many jobs a machine took with it."""
        for cause, jobs in self.lost.items():
            if jobs:
                self.cluster.notify(f"{jobs} {'jobs run' if jobs > 1 else 'job runs'} once more: {cause}")
        self.lost.clear()

    def refuse(self, experiment: str, machine: str, reason: str) -> None:
        """Leave a machine out, and say so once."""
        if reason not in {known for reasons in self.refused.values() for known in reasons.values()}:
            self.cluster.notify(f"left out: {reason}")
        self.refused[experiment][machine] = reason
        self.looked = float("-inf")
