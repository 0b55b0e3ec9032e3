"""The options of `erlangen run` that say where its jobs run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.sweep.executor import Executor

KINDS = ("local", "ray")
Option = typer.Option
Kind = Annotated[str, Option("--executor", help="Where jobs run: local, or ray for a cluster.")]
Address = Annotated[str | None, Option(metavar="HOST:PORT", help="Ray cluster to join, or auto. Default: start one.")]
Cpus = Annotated[int | None, Option(min=1, metavar="N", help="With ray: cores per job. Default: 1.")]
Gpus = Annotated[float | None, Option(min=0, metavar="N", help="With ray: GPUs per job, such as 0.25.")]


@contextmanager
def executor_for(
    kind: str, address: str | None, cpus: int | None, gpus: float | None, experiments: Sequence[str]
) -> Iterator[Executor]:
    """What runs the jobs of these experiments. Raises ErlangenError for options that do not go together."""
    if kind not in KINDS:
        raise ErlangenError(f"--executor {kind}: choose {' or '.join(KINDS)}")
    if kind == "ray":
        from erlangen.sweep.ray.connect import connected

        with connected(address, job_cpus=cpus or 1, job_gpus=gpus, experiments=experiments, notify=say) as cluster:
            yield cluster
        return
    for option, value in (("--address", address), ("--job-cpus", cpus), ("--job-gpus", gpus)):
        if value is not None:
            raise ErlangenError(f"{option} needs --executor ray")
    from erlangen.sweep.executor import Local

    yield Local()
