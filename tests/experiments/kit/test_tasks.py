"""A job's parameters: typed records, there and back, also through JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from erlangen.errors import ErlangenError
from erlangen.experiments.kit.tasks import job, perform, read_task, task_name
from erlangen.records.files import from_json, to_json
from erlangen.records.runs import Job, JobResult, Measurement


@dataclass(frozen=True, kw_only=True)
class EveryGraph:
    nodes: int
    depths: tuple[int, ...] = (2, 4)
    rate: float = 0.5
    name: str = "a"


@dataclass(frozen=True, kw_only=True)
class Other:
    pass


def test_names_are_the_classes_in_kebab_case():
    assert (task_name(EveryGraph), task_name(Other)) == ("every-graph", "other")


def test_there_and_back():
    task = EveryGraph(nodes=3, depths=(1, 2, 8))
    made = job(task, seed=4, seconds=2.5)
    assert made.params == {"task": "every-graph", "nodes": 3, "depths": (1, 2, 8), "rate": 0.5, "name": "a"}
    assert read_task(EveryGraph, made) == task
    result = JobResult(key="k", experiment="e", params=made.params, seed=4, precision="float32", device="cpu", measurements=())
    again = from_json(JobResult, json.loads(json.dumps(to_json(result))))
    assert again == result
    assert read_task(EveryGraph, again) == task


def test_the_key_depends_on_every_field_and_not_on_the_estimate():
    task = EveryGraph(nodes=3)
    key = job(task).key("code")
    assert job(task, seconds=99).key("code") == key
    others = [replace(task, nodes=4), replace(task, depths=(2,)), replace(task, rate=0.25), replace(task, name="b")]
    assert len({key, *(job(other).key("code") for other in others), job(task, seed=1).key("code")}) == 6


def test_the_runner_of_the_task_is_called_with_task_and_job():
    seen = []

    def run(task: EveryGraph, job: Job) -> list[Measurement]:
        seen.append((task, job))
        return [Measurement("n", task.nodes)]

    made = job(EveryGraph(nodes=7), seed=2)
    assert perform(made, {Other: lambda task, job: [], EveryGraph: run}) == [Measurement("n", 7)]
    assert seen == [(EveryGraph(nodes=7), made)]


def test_what_does_not_fit_is_named():
    with pytest.raises(ErlangenError, match="no runner for its task; there are other"):
        perform(job(EveryGraph(nodes=1)), {Other: lambda task, job: []})
    with pytest.raises(ErlangenError, match="not the parameters of a EveryGraph, which are depths, name, nodes, rate"):
        read_task(EveryGraph, Job(params={"task": "every-graph", "nodes": 1}))
