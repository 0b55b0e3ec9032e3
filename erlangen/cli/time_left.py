"""How long a run still takes: the jobs' own estimates, corrected by how long those that ended took on this machine."""

from __future__ import annotations

from collections.abc import Collection

from erlangen.records.runs import Job

STARTUP = 2.0  # seconds in which a worker starts and imports torch


class TimeLeft:
    """Seconds that a run still takes. Shared jobs start in order, one for each worker that is free; exclusive ones follow, alone.

    slowdown: seconds that a job took on this machine, over its estimate for an idle one; 1 until the first job has ended. The
    first job of a worker waits for the worker to start, too.
    """

    def __init__(self, jobs: Collection[Job], workers: int, start: float) -> None:
        self.waiting = sorted(jobs, key=lambda job: job.exclusive)
        self.workers, self.slowdown = workers, 1.0
        self.running: dict[int, tuple[Job, float]] = {}  # with the time at which each started
        self.taken = self.estimated = 0.0  # seconds of the jobs that ended
        self.fill(start)
        self.first = set(self.running)

    def fill(self, now: float) -> None:
        """Start jobs for which a worker is free."""
        while self.waiting and len(self.running) < (1 if self.waiting[0].exclusive else self.workers):
            job = self.waiting.pop(0)
            self.running[id(job)] = job, now

    def end(self, job: Job, now: float) -> None:
        """A job has ended; `now` in the seconds of `start`."""
        _, start = self.running.pop(id(job), (job, now))
        self.waiting = [other for other in self.waiting if other is not job]
        self.taken += now - start
        self.estimated += job.seconds + STARTUP * (id(job) in self.first)
        self.slowdown = self.taken / self.estimated if self.taken > 0 and self.estimated > 0 else 1.0
        self.fill(now)

    def seconds(self, now: float) -> float:
        """Wall seconds from now on."""
        left = [(job, max(self.slowdown * job.seconds - (now - start), 0.0)) for job, start in self.running.values()]
        left += [(job, self.slowdown * job.seconds) for job in self.waiting]
        shared = [seconds for job, seconds in left if not job.exclusive]
        return max([sum(shared) / self.workers, *shared]) + sum(seconds for job, seconds in left if job.exclusive)
