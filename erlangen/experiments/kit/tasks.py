"""A job's parameters as a typed, frozen record, there and back.

    @dataclass(frozen=True, kw_only=True)
    class Train:                       # in an experiment's tasks.py
        padding: str
        epochs: int

    job(Train(padding="valid", epochs=50), seed=3, seconds=40)       # in its jobs()
    perform(job, {Train: train})       # in its run.py: calls train(Train(padding="valid", epochs=50), job)

A task's fields decide the key of its job, with their values as they stand: numbers, text, and tuples of them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from erlangen.errors import ErlangenError
from erlangen.records.runs import Job, JobResult, Measurement

Task = TypeVar("Task")


def task_name(kind: type) -> str:
    """`EveryGraph` -> 'every-graph': what a job's parameters call the task."""
    return hyphenated(kind.__name__)


@cache
def hyphenated(name: str) -> str:
    """`EveryGraph` -> 'every-graph'; once a name, because a judge asks for each of its results."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def task_of(kind: type[Task], recipe: Any, **fields: Any) -> Task:
    """A task with these fields, and for the rest the recipe's own of the same names."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in fields]  # type: ignore[arg-type]
    return kind(**{name: getattr(recipe, name) for name in names}, **fields)


def job(task: Any, *, seed: int = 0, seconds: float = 1.0, portable: bool = False, exclusive: bool = False) -> Job:
    """The job that performs `task`; the sweep fills in the experiment, and precision and device where it is `portable`."""
    fields = {field.name: getattr(task, field.name) for field in dataclasses.fields(task)}
    params = {"task": task_name(type(task)), **fields}
    return Job(params=params, seed=seed, seconds=seconds, portable=portable, exclusive=exclusive)


def read_task(kind: type, record: Job | JobResult) -> Any:
    """The task behind a job or its result. Raises ErlangenError where the parameters are not those of `kind`."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in record.params.items()}
    named = values.pop("task", None)
    known = {field.name for field in dataclasses.fields(kind)}
    if named != task_name(kind) or values.keys() != known:
        raise ErlangenError(f"{record.params}: not the parameters of a {kind.__name__}, which are {', '.join(sorted(known))}")
    return kind(**values)


def perform(job: Job, runners: Mapping[type, Callable[[Any, Job], list[Measurement]]]) -> list[Measurement]:
    """Call the runner of the job's task with the task and the job. Raises ErlangenError for a task that has no runner."""
    for kind, runner in runners.items():
        if job.params.get("task") == task_name(kind):
            return runner(read_task(kind, job), job)
    raise ErlangenError(f"{job.label()}: no runner for its task; there are {', '.join(map(task_name, runners))}")
