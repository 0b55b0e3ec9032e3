"""What a run will do: its jobs, which of them have results already, and what the rest will take."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from erlangen.errors import ErlangenError
from erlangen.experiments import Experiment, load, module_name, planned_jobs
from erlangen.experiments.user_code import user_code
from erlangen.records.runs import Job, JobResult, Precision, Run
from erlangen.sweep.differences import changes
from erlangen.sweep.executor import Executor
from erlangen.sweep.fingerprint import fingerprint
from erlangen.sweep.machine import machine, processor, versions
from erlangen.sweep.store import Store

JOB_FILE_KB = 8  # a generous mean, with the file system's rounding


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do. `found` are the results that need no computing, `todo` the jobs that do, by key.

    `lock` keeps other runs out of the folder until it is closed.
    """

    name: str
    recipe: Any
    device: str
    store: Store
    jobs: dict[str, Job]
    found: dict[str, JobResult]
    memory_mb: int
    lock: IO[str]

    @property
    def todo(self) -> dict[str, Job]:
        return {key: job for key, job in self.jobs.items() if key not in self.found}


def announcement(plans: Sequence[Plan], workers: int) -> str:
    """'padding: 7 of 120 found, running 113 on 2 workers; about 41 min on an idle machine, 1.4 GB memory, 1 MB disk'"""
    jobs, todo = sum(len(plan.jobs) for plan in plans), [job for plan in plans for job in plan.todo.values()]
    left, name = len(todo), plans[0].name if len(plans) == 1 else f"{len(plans)} experiments"
    if not left:
        return f"{name}: all {jobs} jobs found, nothing to compute"
    found = f"{jobs - left} of {jobs} found, running {left}" if left < jobs else f"running {left} jobs"
    memory = max(plan.memory_mb for plan in plans if plan.todo) * workers / 1000
    return (
        f"{name}: {found} on {workers} worker{'s' * (workers > 1)}; about {duration(expected_seconds(todo, workers))} on an idle "
        f"machine, {memory:.1f} GB memory, {max(left * JOB_FILE_KB / 1000, 0.1):.1f} MB disk"
    )


def duration(seconds: float) -> str:
    """'45 s', '12 min', '3.5 h'"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def expected_seconds(jobs: Iterable[Job], workers: int) -> float:
    """Wall seconds for the jobs on that many workers, from their estimates."""
    jobs = list(jobs)
    shared = [job.seconds for job in jobs if not job.exclusive]
    alone = sum(job.seconds for job in jobs if job.exclusive)
    return max([sum(shared) / workers, *shared]) + alone if jobs else 0.0


def prepare(
    name: str,
    recipe: Any,
    *,
    preset: str,
    folder: Path,
    command: str,
    workers: int,
    precision: Precision,
    device: str,
    executor: Executor,
    notify: Callable[[str], None],
    fresh: bool = False,
    force: bool = False,
    beside: Iterable[Path] = (),
) -> Plan:
    """List the jobs, open the folder, find what it holds. Raises ErlangenError where the folder or the machine does not serve.

    fresh, force: see `erlangen.sweep.run.run`. beside: folders whose results of the same jobs are copied. Nothing that the folder
    holds is changed before all that could be refused has been.
    """
    experiment = load(name)
    jobs = keyed_jobs(name, recipe, precision, device)
    executor.check_device(device, precision)
    store = Store(folder)
    lock = store.open(describe(name, experiment, recipe, preset, command, workers, jobs), force, notify)
    try:
        for other in () if fresh else beside:
            if copied := store.take_over(other, jobs):
                notify(f"{name}: results of {copied} job{'s' * (copied > 1)} copied from {other}")
        found = {} if fresh else store.load(jobs, notify)
        todo = [job for key, job in jobs.items() if key not in found]
        check_means(name, recipe, folder, len(todo))
        if fresh:
            store.forget(jobs)
    except BaseException:
        lock.close()
        raise
    return Plan(
        name=name, recipe=recipe, device=device, store=store, jobs=jobs, found=found, memory_mb=experiment.MEMORY_MB, lock=lock
    )


def keyed_jobs(name: str, recipe: Any, precision: Precision, device: str) -> dict[str, Job]:
    """The jobs of a recipe by their keys."""
    module = module_name(name)
    with user_code(module):
        code = fingerprint(f"{module}.run")
    jobs = in_precision(planned_jobs(name, recipe, precision, device), getattr(load(name), "SPEEDUP", {}))
    with user_code(module):  # a parameter that is neither a number nor text has no key
        return {job.key(code): job for job in jobs}


def in_precision(jobs: Iterable[Job], speedup: Mapping[str, float]) -> list[Job]:
    """The jobs with estimates for the precision that they have; speedup: precision -> how many times as fast as float32.

    Of bfloat16 that holds on processors that multiply it in hardware; elsewhere the estimates stay those of float32.
    """
    known = speedup if "bf16" in processor() else {}
    return [replace(job, seconds=job.seconds / known.get(job.precision, 1.0)) for job in jobs]


def describe(
    name: str, experiment: Experiment, recipe: Any, preset: str, command: str, workers: int, jobs: dict[str, Job]
) -> Run:
    """The record of the run; precision and device as its jobs have them."""
    return Run(
        experiment=name,
        title=experiment.TITLE,
        claims=experiment.CLAIMS,
        preset=preset,
        recipe=dataclasses.asdict(recipe),
        changed=changes(experiment.PRESETS[preset], recipe) if preset in experiment.PRESETS else {},
        date=datetime.now(UTC).date().isoformat(),
        command=command,
        precision=", ".join(sorted({job.precision for job in jobs.values()})),
        device=", ".join(sorted({job.device for job in jobs.values()})),
        workers=workers,
        jobs=tuple(jobs),
        versions=versions(),
        machine=machine(),
    )


def check_means(name: str, recipe: Any, folder: Path, jobs: int) -> None:
    """Data and disk that so many jobs need. Raises ErlangenError once, before anything starts, where they are not to be had."""
    fetch = getattr(load(name), "fetch", None)
    if jobs and fetch is not None:
        with user_code(module_name(name)):
            fetch(recipe)
    if shutil.disk_usage(folder).free < 1000 * JOB_FILE_KB * jobs:
        raise ErlangenError(f"{folder}: less than {JOB_FILE_KB * jobs} kB free; free space or name another folder with --out")
