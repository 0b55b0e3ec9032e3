"""An executor without processes, for tests of what stands around one."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from erlangen.records.runs import Job
from erlangen.sweep.local import Done, Failed, compute


class Here:
    """Computes jobs in this process, in their order, and remembers them."""

    def __init__(self, workers: int = 2) -> None:
        self.most, self.asked = workers, list[Job]()

    def workers(self, device: str) -> int:
        return self.most

    def best_device(self) -> str:
        return "cpu"

    def check_device(self, device: str, precision: str) -> None:
        pass

    def execute(self, jobs: Sequence[Job], workers: int, timeout: float | None = None) -> Generator[Done | Failed, None, None]:
        self.asked += jobs
        yield from map(compute, jobs)
