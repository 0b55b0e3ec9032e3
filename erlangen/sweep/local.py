"""Run jobs on this machine: one single-threaded process a core, exclusive jobs alone and in fresh processes.

Small nets gain more from a process a core than from threads; and a job computes the same numbers however many run beside it. On
a GPU an experiment may compute jobs that differ in their seeds alone together; each still has its own outcome.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

from erlangen.errors import ErlangenError
from erlangen.experiments import ManyRunner, load, runner
from erlangen.records.files import canonical
from erlangen.records.runs import Job, Measurement

ATTEMPTS = 2  # a worker killed from outside may have been unlucky; twice on one job is the job's doing

# Without these glibc returns every map of some megabytes to the kernel and faults it in again, page by page: a quarter of the
# time of training. Read once, when a process starts.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(2 << 30),
}


@dataclass(frozen=True)
class Done:
    """A job that was measured, with its wall seconds and the machine that computed it."""

    job: Job
    measurements: list[Measurement]
    seconds: float
    machine: str = field(default_factory=platform.node)


@dataclass(frozen=True)
class Failed:
    """A job that was not: `reason` in one line, `details` a traceback or ''."""

    job: Job
    reason: str
    details: str = ""


def execute(jobs: Sequence[Job], workers: int, timeout: float | None = None) -> Generator[Done | Failed, None, None]:
    """Run the jobs, yielding each as it ends. Ordinary jobs share `workers` processes; exclusive ones follow, one at a time.

    timeout: wall seconds for a job; past them its process is killed and the job has failed. Closing the iterator ends the
    workers.
    """
    shared = together([job for job in jobs if not job.exclusive])
    if shared:
        yield from pool(shared, min(workers, len(shared)), timeout, fresh=False)
    alone = [(job,) for job in jobs if job.exclusive]
    if alone:
        yield from pool(alone, 1, timeout, fresh=True)


def together(jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    """The jobs that one worker is given at a time: those that differ in their seeds alone, on a GPU, at most SEEDS_AT_ONCE of an
    experiment that defines it; every other job by itself. In the order of their first.
    """
    groups: dict[str, list[tuple[Job, ...]]] = {}
    for number, job in enumerate(jobs):
        most = 1 if job.device == "cpu" else getattr(load(job.experiment), "SEEDS_AT_ONCE", 1)
        group = groups.setdefault(canonical([job.experiment, job.params, job.precision, job.device, most > 1 or number]), [()])
        if len(group[-1]) == most:
            group.append(())
        group[-1] += (job,)
    return [bundle for group in groups.values() for bundle in group]


class Worker:
    """A process and the two pipes to it: jobs, and a lifeline whose closing, by our death too, ends the process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        lifeline, self.lifeline = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, lifeline), daemon=True)
        with environment_for_children(WORKER_ENVIRONMENT), main_module_hidden():
            self.process.start()
        theirs.close()
        lifeline.close()
        self.jobs: tuple[Job, ...] = ()
        self.deadline = float("inf")

    def give(self, jobs: tuple[Job, ...], timeout: float | None) -> None:
        """Send jobs. Raises OSError where the process is dead."""
        self.pipe.send(jobs)
        self.jobs, self.deadline = jobs, time.monotonic() + len(jobs) * (timeout or float("inf"))

    def take(self) -> list[Done | Failed] | None:
        """The outcomes that have come, of the caller's own jobs rather than their copies; None where the process died instead."""
        try:
            outcomes: list[Done | Failed] = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return None
        return [replace(outcome, job=job) for outcome, job in zip(outcomes, self.jobs, strict=True)]

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.lifeline.close()


def pool(
    bundles: Sequence[tuple[Job, ...]], size: int, timeout: float | None, fresh: bool, spare: list[Worker] | None = None
) -> Generator[Done | Failed, None, None]:
    """Bundles of jobs in order on `size` processes; with `fresh`, each in a process of its own.

    spare: idle workers, which are used first; those that are idle at the end are left there, and end only with this process.
    """
    waiting = list(reversed(bundles))
    deaths: Counter[int] = Counter()
    idle: list[Worker] = [] if spare is None else spare
    busy: list[Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < size:
                worker = idle.pop() if idle and not fresh else Worker()
                busy.append(worker)
                try:
                    worker.give(waiting[-1], timeout)
                    waiting.pop()
                except OSError:  # it died between two jobs: none of them is to blame
                    busy.remove(worker)
                    worker.end()
            patience = min(worker.deadline for worker in busy) - time.monotonic()
            ready = wait([worker.pipe for worker in busy], None if patience == float("inf") else max(patience, 0))
            for worker in list(busy):
                outcomes: list[Done | Failed] | None
                if worker.pipe in ready:
                    outcomes = worker.take()
                    alive = outcomes is not None
                elif time.monotonic() >= worker.deadline:
                    outcomes = [Failed(job, f"took longer than --job-timeout {timeout:g} s") for job in worker.jobs]
                    alive = False
                else:
                    continue
                busy.remove(worker)
                if alive and not fresh:
                    idle.append(worker)
                else:
                    worker.end()
                if outcomes is None:
                    deaths.update(id(job) for job in worker.jobs)
                    waiting += [(job,) for job in reversed(worker.jobs) if deaths[id(job)] < ATTEMPTS]  # each by itself
                    cause = f"its worker {_cause_of_death(worker.process.exitcode)}, twice"
                    outcomes = [Failed(job, cause) for job in worker.jobs if deaths[id(job)] >= ATTEMPTS]
                yield from outcomes
    finally:
        for worker in busy + (idle if spare is None else []):
            worker.end()


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = " (out of memory? try fewer --workers, or with Ray more --job-cpus)" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"
    return f"ended with exit code {exitcode}"


def _serve(pipe: Connection, lifeline: Connection) -> None:
    """A worker's life: receive jobs, compute them, send the outcomes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            jobs: tuple[Job, ...] = pipe.recv()
        except EOFError:
            return
        pipe.send([compute(jobs[0])] if len(jobs) == 1 else compute_together(jobs))


def _die_with(lifeline: Connection) -> None:
    """Nobody ever writes to it: it ends when the parent does, even by SIGKILL."""
    try:
        lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)


def is_number(value: object) -> bool:
    """Whether a measurement's value can be stored: a number, None, or a tuple of them; a tensor needs .item()."""
    return value is None or isinstance(value, int | float) or (isinstance(value, tuple) and all(map(is_number, value)))


def compute(job: Job) -> Done | Failed:
    """One job, here and now."""
    start = time.perf_counter()
    try:
        return checked(job, runner(job.experiment).run(job), time.perf_counter() - start)
    except Exception as error:
        return failure(job, error)


def compute_together(jobs: Sequence[Job]) -> list[Done | Failed]:
    """Jobs that differ in their seeds alone, here and now, by the experiment's `run_many`. Each took its share of the time."""
    start = time.perf_counter()
    try:
        found = cast(ManyRunner, runner(jobs[0].experiment)).run_many(jobs)
    except Exception as error:
        return [failure(job, error) for job in jobs]
    seconds = (time.perf_counter() - start) / len(jobs)
    return [
        failure(job, one) if isinstance(one, Exception) else checked(job, one, seconds)
        for job, one in zip(jobs, found, strict=True)
    ]


def checked(job: Job, measured: Sequence[Measurement], seconds: float) -> Done | Failed:
    """The measurements as an outcome, if they can be stored."""
    twice = [name for name, count in Counter(one.name for one in measured).items() if count > 1]
    if twice:
        return Failed(job, f"its run() gives two measurements one name, {twice[0]!r}: rename one")
    if texts := [one for one in measured if not (isinstance(one.name, str) and isinstance(one.unit, str))]:
        return Failed(job, f"its run() gives a measurement named {texts[0].name!r} in {texts[0].unit!r}: name and unit are text")
    if odd := [one for one in measured if not is_number(one.value)]:
        return Failed(job, f"its run() gives {odd[0].name!r} a value of type {type(odd[0].value).__name__}: give a number")
    return Done(job, list(measured), seconds)


def failure(job: Job, error: Exception) -> Failed:
    """An error as an outcome; with its traceback, unless its line is written for users and says all."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, ErlangenError):
        return Failed(job, str(error), details if error.__cause__ else "")
    return Failed(job, f"{type(error).__name__}: {error}".splitlines()[0], details)


@contextmanager
def environment_for_children(settings: dict[str, str]) -> Iterator[None]:
    """The environment that a process started inside inherits."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def main_module_hidden() -> Iterator[None]:
    """A process started inside does not import the program that started it: a user's script would run in it once more."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {name: main.__dict__[name] for name in ("__file__", "__spec__") if name in main.__dict__}
    main.__dict__.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        main.__dict__.update(hidden)
