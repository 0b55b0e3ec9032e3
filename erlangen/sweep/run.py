"""One run: plan it, find what is there, compute the rest, judge the whole."""

from __future__ import annotations

import dataclasses
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from erlangen.errors import ErlangenError
from erlangen.experiments import Experiment, illustrator, judge, load, module_name, planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Figures, Job, JobResult, Precision, Run, Verdict
from erlangen.sweep.fingerprint import fingerprint
from erlangen.sweep.local import Done, Failed, execute
from erlangen.sweep.machine import machine, versions
from erlangen.sweep.store import Store

JOB_FILE_KB = 8  # a generous mean, with the file system's rounding


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do. `found` are the results that need no computing, `todo` the jobs that do, by key.

    `lock` keeps other runs out of the folder for as long as the plan lives.
    """

    name: str
    title: str
    recipe: Any
    store: Store
    jobs: dict[str, Job]
    found: dict[str, JobResult]
    workers: int
    seconds: float
    memory_mb: int
    lock: IO[str]

    @property
    def todo(self) -> dict[str, Job]:
        return {key: job for key, job in self.jobs.items() if key not in self.found}

    def announcement(self) -> str:
        """'120 jobs: 7 found, running 113 on 2 workers; about 41 min, 1.4 GB memory, 1 MB disk'"""
        left = len(self.todo)
        if not left:
            return f"{self.name}: all {len(self.jobs)} jobs found, nothing to compute"
        found = f"{len(self.found)} of {len(self.jobs)} found, running {left}" if self.found else f"running {left} jobs"
        return (
            f"{self.name}: {found} on {self.workers} worker{'s' * (self.workers > 1)}; about {duration(self.seconds)}, "
            f"{self.memory_mb * self.workers / 1000:.1f} GB memory, {max(left * JOB_FILE_KB / 1000, 0.1):.1f} MB disk"
        )


def duration(seconds: float) -> str:
    """'45 s', '12 min', '3.5 h'"""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def expected_seconds(jobs: Iterator[Job] | list[Job], workers: int) -> float:
    """Wall seconds for the jobs on that many workers, from their estimates."""
    jobs = list(jobs)
    shared = [job.seconds for job in jobs if not job.exclusive]
    alone = sum(job.seconds for job in jobs if job.exclusive)
    return max([sum(shared) / workers, *shared]) + alone if jobs else 0.0


def prepare(
    name: str,
    experiment: Experiment,
    recipe: Any,
    *,
    preset: str,
    folder: Path,
    command: str,
    workers: int,
    precision: Precision,
    device: str,
    notify: Callable[[str], None],
) -> Plan:
    """List the jobs, open the folder, find what it holds. Raises ErlangenError where the folder or the machine does not serve."""
    if device != "cpu" or precision != "float32":
        from erlangen.train.seeds import check_device  # torch, so only where there is something to check

        check_device(device, precision)
    code = fingerprint(f"{module_name(name)}.run")
    jobs = {job.key(code): job for job in planned_jobs(name, recipe, precision, device)}
    store = Store(folder)
    lock = store.open(
        Run(
            experiment=name,
            title=experiment.TITLE,
            claims=experiment.CLAIMS,
            preset=preset,
            recipe=dataclasses.asdict(recipe),
            command=command,
            precision=", ".join(sorted({job.precision for job in jobs.values()})),
            device=", ".join(sorted({job.device for job in jobs.values()})),
            workers=workers,
            jobs=tuple(jobs),
            versions=versions(),
            machine=machine(),
        )
    )
    found = store.load(jobs, notify)
    todo = [job for key, job in jobs.items() if key not in found]
    fetch = getattr(experiment, "fetch", None)
    if todo and fetch is not None:
        fetch(recipe)  # data that is not to be had is said once, before anything starts
    workers = max(1, min(workers, len(todo)))
    if shutil.disk_usage(folder).free < 1000 * JOB_FILE_KB * len(todo):
        raise ErlangenError(
            f"{folder}: less than {JOB_FILE_KB * len(todo)} kB free; free space or name another folder with --out"
        )
    return Plan(
        name=name, title=experiment.TITLE, recipe=recipe, store=store, jobs=jobs, found=found, workers=workers,
        seconds=expected_seconds(todo, workers), memory_mb=experiment.MEMORY_MB, lock=lock,
    )  # fmt: skip


def perform(plan: Plan, timeout: float | None) -> Iterator[Done | Failed]:
    """Compute what is missing, writing each result, or why there is none, before it is yielded."""
    keys = {id(job): key for key, job in plan.todo.items()}
    for outcome in execute(list(plan.todo.values()), plan.workers, timeout):
        job, key = outcome.job, keys[id(outcome.job)]
        if isinstance(outcome, Failed):
            plan.store.save_failure(key, f"{job.label()}\n{outcome.reason}\n\n{outcome.details}")
        else:
            plan.store.save(
                JobResult(
                    key=key, experiment=job.experiment, params=job.params, seed=job.seed, precision=job.precision,
                    device=job.device, measurements=tuple(outcome.measurements), seconds=round(outcome.seconds, 2),
                    machine=platform.node(),
                )
            )  # fmt: skip
        yield outcome


def conclude(plan: Plan, notify: Callable[[str], None]) -> list[Verdict]:
    """Judge every result of the plan that the folder holds, and write verdicts, answers and figures.

    Results are read back from their files and in the plan's order: what is judged is what is stored.
    """
    results = plan.store.load(plan.jobs, notify)
    evidence = Evidence(
        tuple(results[key] for key in plan.jobs if key in results),
        tuple(job for key, job in plan.jobs.items() if key not in results),
    )
    concluding = judge(plan.name)
    verdicts = concluding.verdicts(plan.recipe, evidence)
    answers = concluding.answers(plan.recipe, evidence, verdicts)
    figures = illustrator(plan.name).figures(plan.recipe, evidence)
    plan.store.conclude(verdicts, answers, Figures(question=load(plan.name).QUESTION, figures=tuple(figures)))
    return verdicts
