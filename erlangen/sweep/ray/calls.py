"""What of Ray is called: the machines of a cluster, a task on one of them, and the wait for tasks to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    TaskUnschedulableError,
    WorkerCrashedError,
)

from erlangen.records.runs import Job
from erlangen.sweep.local import Done, Failed
from erlangen.sweep.ray.node import Needs, Refused, work

Machines: TypeAlias = dict[str, dict[str, float]]  # id -> resources

LOST_MACHINE = "the machine was lost"
LOST: dict[type[RayError], str] = {
    OutOfMemoryError: "the machine ran out of memory, and Ray ended the worker (try more --job-cpus: fewer jobs at once)",
    WorkerCrashedError: "the worker died",
    NodeDiedError: LOST_MACHINE,
    TaskUnschedulableError: LOST_MACHINE,
    ObjectLostError: LOST_MACHINE,
}
POLL = 5.0  # seconds between two looks at the machines


def machines() -> Machines:
    """The machines of the cluster that are alive."""
    client: Any = ray  # which has no types
    return {node["NodeID"]: {"CPU": 0.0, "GPU": 0.0} | node["Resources"] for node in client.nodes() if node["Alive"]}


def on_machine(
    jobs: tuple[Job, ...], needs: Needs, timeout: float | None, fresh: bool
) -> tuple[str, list[Done | Failed] | Refused]:
    """A task: the machine's id, and what came of the jobs there."""
    return ray.get_runtime_context().get_node_id(), work(jobs, needs, timeout, fresh)


TASK: Any = ray.remote(max_retries=0)(on_machine)  # retries are ours to count


def ended(tasks: list[Any]) -> list[Any]:
    """The tasks that have ended, as soon as one has; none after a while, so that somebody looks at the machines."""
    if not tasks or not patient(ray.wait, tasks, timeout=POLL)[0]:
        return []
    done: list[Any] = patient(ray.wait, tasks, num_returns=len(tasks), timeout=0)[0]
    return done


def patient(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What a blocking function of Ray's returns. What a signal's handler raises meanwhile is raised here: Ray would hide it."""
    try:
        return call(*args, **options)
    except SystemError as error:
        raise error.__cause__ or error from None
