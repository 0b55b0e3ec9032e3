"""What fits on the Ray cluster that this process is connected to, and which of its machines may compute."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from erlangen.errors import ErlangenError
from erlangen.records.runs import Job
from erlangen.sweep.executor import Local
from erlangen.sweep.local import Done, Failed, together
from erlangen.sweep.ray.calls import Machines, machines
from erlangen.sweep.ray.node import needs_of
from erlangen.sweep.ray.tasks import Tasks


@dataclass(frozen=True, kw_only=True)
class Ray:
    """Runs jobs on the cluster that this process is connected to. A job takes `job_cpus` cores and `job_gpus` GPUs of a machine.

    job_gpus: None for one GPU where the run asks for a GPU, else none. here: this machine is the whole cluster. notify: called
    with a line for each machine that is left out.
    """

    job_cpus: float = 1
    job_gpus: float | None = None
    here: bool = False
    notify: Callable[[str], None] = lambda line: None

    def workers(self, device: str) -> int:
        takes = {"CPU": float(self.job_cpus), "GPU": self.gpus(device)}
        slots = [min(has[name] // each for name, each in takes.items() if each) for has in self.machines(device).values()]
        return max(1, int(sum(slots)))

    def best_device(self) -> str:
        return "cuda" if any(has["GPU"] for has in machines().values()) else "cpu"

    def check_device(self, device: str, precision: str) -> None:
        """Raises ErlangenError where no machine has what a job takes. Whether others than this one have `precision`, jobs say."""
        if self.here:
            Local().check_device(device, precision)
        if ":" in device:
            raise ErlangenError(f"--device {device}: Ray chooses the GPU of each job; write --device {device.split(':')[0]}")
        if not self.machines(device):
            gpus = f" and {self.gpus(device):g} GPUs" if self.gpus(device) else ""
            raise ErlangenError(f"no machine of the Ray cluster has the {self.job_cpus:g} cores{gpus} that a job takes")

    def gpus(self, device: str) -> float:
        """GPUs of a job on this device."""
        return float(device != "cpu") if self.job_gpus is None else self.job_gpus

    def machines(self, device: str) -> Machines:
        """The machines that have what a job takes, the largest first."""
        gpus = self.gpus(device)
        able = {name: has for name, has in machines().items() if has["CPU"] >= self.job_cpus and has["GPU"] >= gpus}
        return dict(sorted(able.items(), key=lambda entry: (-entry[1]["CPU"], entry[0])))

    def execute(self, jobs: Sequence[Job], workers: int, timeout: float | None = None) -> Generator[Done | Failed, None, None]:
        """See `erlangen.sweep.executor.Executor`. Exclusive jobs all run on one machine: their times are compared."""
        needs = {name: needs_of(name, [job for job in jobs if job.experiment == name]) for name in {j.experiment for j in jobs}}
        shared, alone = [job for job in jobs if not job.exclusive], [job for job in jobs if job.exclusive]
        if shared:
            limit = workers if workers < max(self.workers(device) for device in {job.device for job in shared}) else None
            yield from Tasks(self, together(shared), needs, timeout, limit).outcomes()
        if alone:
            yield from Tasks(self, [(job,) for job in alone], needs, timeout, 1, exclusive=True).outcomes()
