"""Sweeps: two workers against one, Ray against this machine's own workers, the driver at many trivial jobs, and a resume.

python benchmarks/sweep.py [--jobs 12] [--trivial 10000] [--rounds 3] [--json -]

Run it on a machine with two idle cores. Workers and cluster are started anew in every run, and counted, except for the start of
the cluster, which is given apart.

On paper, 1,000 machines of 16 cores, from a run on a virtual machine whose two cores (Intel Xeon) were busy with other work
(Ray 2.60, 10,000 trivial jobs): the driver spends 4.0 ms of CPU on a job and 8.6 ms of wall time, most of it on a file with
fsync. It keeps up with 116 jobs a second, and 16,000 cores with it if a job takes 140 s on the average. For shorter jobs the
driver breaks first: it is one process that writes one file at a time. The remedy is larger jobs, such as several seeds in one.
Its memory did not grow (-0.9 MB over 9,000 jobs). Behind it comes the start: every worker imports torch from the shared folder,
16,000 times at once, and reads its data there; install both on the machines' own disks, at the same paths. Resuming is no limit
(10,000 files in 1.0 s). Exclusive jobs do not scale at all: they run one after another on one machine, because their times are
compared.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sized
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import printing
from counting import Recipe
from counting.run import count
from counting.tasks import Count

import erlangen
from erlangen.experiments import planned_jobs
from erlangen.records.runs import Job
from erlangen.sweep.executor import Executor, Local
from erlangen.sweep.machine import cores, processor

NAME = "counting"  # the experiment beside this file
CPU = 1.2  # seconds that a job counts


class Memory:
    """Progress that notes this process's memory, in MB, after a tenth of the jobs and at the end."""

    def __init__(self) -> None:
        self.total = self.ended = 0
        self.notes: list[float] = []

    def __call__(self, jobs: Sized, workers: int) -> Memory:
        self.total = len(jobs)
        return self

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def advance(self, job: Job) -> None:
        self.ended += 1
        if self.ended in (self.total // 10, self.total):
            self.notes.append(resident_mb())


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def steps_of(seconds: float) -> int:
    """Steps that take so many seconds of this machine's core."""
    start = time.process_time()
    count(Count(steps=2_000_000), Job(params={}))
    return round(2_000_000 * seconds / (time.process_time() - start))


def wall(executor: Executor, jobs: list[Job], workers: int) -> float:
    """Seconds until the last of the jobs has ended."""
    start = time.perf_counter()
    outcomes = list(executor.execute(jobs, workers))
    assert all(hasattr(outcome, "measurements") for outcome in outcomes), outcomes
    return time.perf_counter() - start


def cluster() -> Any:
    """A Ray cluster of this machine; None where Ray is not installed."""
    from erlangen.sweep.ray.connect import connected

    try:
        import ray  # noqa: F401
    except ImportError:
        return nullcontext()
    return connected(experiments=[NAME])


def ratios(jobs: list[Job], rounds: int) -> dict[str, float]:
    """Medians over rounds in which the three ways alternate: two workers over one, Ray's wall seconds over the local ones."""
    times: dict[str, list[float]] = {"one": [], "two": [], "ray": [], "start": []}
    for _ in range(rounds):
        times["one"].append(wall(Local(), jobs, 1))
        times["two"].append(wall(Local(), jobs, 2))
        start = time.perf_counter()
        with cluster() as ray:
            if ray is not None:
                times["start"].append(time.perf_counter() - start)
                times["ray"].append(wall(ray, jobs, 2))
    return {name: statistics.median(values) for name, values in times.items() if values}


def trivial(executor: Executor, jobs: int, folder: str) -> dict[str, float]:
    """The driver at many trivial jobs: its CPU and the wall time of a job in ms, and what its memory grew by after a tenth."""
    memory, start, busy = Memory(), time.perf_counter(), time.process_time()
    run = erlangen.run(NAME, seeds=jobs, out=folder, executor=executor, workers=2, progress=memory)
    spent = {"cpu": time.process_time() - busy, "wall": time.perf_counter() - start}
    assert len(run.results) == jobs, run
    return {name: 1000 * seconds / jobs for name, seconds in spent.items()} | {"mb": memory.notes[1] - memory.notes[0]}


def resumed(folder: str, jobs: int) -> float:
    """Seconds in which a run of a full folder finds that nothing is missing."""
    start, found = time.perf_counter(), list[float]()
    erlangen.run(NAME, seeds=jobs, out=folder, workers=2, notify=lambda line: found.append(time.perf_counter() - start))
    return found[0]


def result(name: str, value: float, target: float, peer: str, unit: str) -> dict[str, object]:
    return {"name": name, "ratio": round(value, 3), "target": target, "peer": peer, "unit": unit}


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--jobs", type=int, default=12, help=f"jobs of {CPU} s of CPU (default: 12)")
    options.add_argument("--trivial", type=int, default=10_000, help="trivial jobs (default: 10000)")
    options.add_argument("--rounds", type=int, default=3, help="rounds, of which medians are taken (default: 3)")
    args = options.parse_args()
    out = printing.table_stream(args.json)
    print(
        f"{processor()}, {cores()} cores; Python {sys.version.split()[0]}; medians of {args.rounds} rounds", file=out, flush=True
    )

    times = ratios(planned_jobs(NAME, Recipe(steps=steps_of(CPU), seeds=args.jobs)), args.rounds)
    jobs = f"{args.jobs} jobs of {CPU} s"
    results = [result(f"two workers over one, {jobs}", times["one"] / times["two"], 1.8, "one local worker", "times as fast")]
    if "ray" in times:
        ray = result(
            f"Ray over local, two workers, {jobs}", times["ray"] / times["two"], 1.1, "local workers", "times the wall seconds"
        )
        results.append(ray)
        print(f"a Ray cluster of this machine starts in {times['start']:.1f} s", file=out)
    with tempfile.TemporaryDirectory() as place, cluster() as ray_cluster:
        for kind, executor in [("local", Local()), *([("Ray", ray_cluster)] if ray_cluster else [])]:
            spent = trivial(executor, args.trivial, f"{place}/{kind}")
            of = f"{kind}, {args.trivial} trivial jobs"
            results.append(result(f"CPU of the driver, {of}", spent["cpu"], 5, "none", "ms a job"))
            results.append(result(f"memory of the driver, {of}", spent["mb"], 20, "itself after a tenth of them", "MB more"))
            print(f"{of}: {spent['wall']:.2f} ms of wall time each, judged and written", file=out)
        results.append(result(f"resume of {args.trivial} jobs", resumed(f"{place}/local", args.trivial), 2, "none", "s"))
    for row in results:
        print(f"{row['name']:<48} {row['ratio']:>8} {row['unit']}  (target {row['target']})", file=out)
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
