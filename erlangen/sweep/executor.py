"""What runs jobs, and where: this machine, or a cluster (`erlangen.sweep.ray`). No experiment knows which."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from erlangen.records.runs import Job
from erlangen.sweep import local
from erlangen.sweep.local import Done, Failed
from erlangen.sweep.machine import cores


class Executor(Protocol):
    """Runs jobs and gives an outcome for each, in any order."""

    def workers(self, device: str) -> int:
        """How many jobs it runs at a time, where nobody asks for another number."""

    def best_device(self) -> str:
        """The device that `auto` stands for, where the jobs can use it."""

    def check_device(self, device: str, precision: str) -> None:
        """Raises ErlangenError, before anything starts, where jobs cannot run on this device or in this precision."""

    def execute(self, jobs: Sequence[Job], workers: int, timeout: float | None = None) -> Generator[Done | Failed, None, None]:
        """Run the jobs, yielding each as it ends; closing the generator ends what still runs.

        workers: how many run at a time, at most. Exclusive jobs follow the others, one at a time and alone on their machine.
        timeout: wall seconds of a job; past them it is ended and has failed.
        """


@dataclass(frozen=True)
class Local:
    """This machine: one process for each core, or one for its GPU."""

    def workers(self, device: str) -> int:
        return cores() if device == "cpu" else 1

    def best_device(self) -> str:
        from erlangen.train.precision import best_device  # torch, so only where it is asked for

        return best_device()

    def check_device(self, device: str, precision: str) -> None:
        if device != "cpu" or precision != "float32":
            from erlangen.train.precision import check_device  # torch, so only where there is something to check

            check_device(device, precision)

    def execute(self, jobs: Sequence[Job], workers: int, timeout: float | None = None) -> Generator[Done | Failed, None, None]:
        return local.execute(jobs, workers, timeout)
