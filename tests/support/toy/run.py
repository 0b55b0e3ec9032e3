"""The toy's jobs."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement
from support.toy.adding import add
from support.toy.tasks import Toy


def run(job: Job) -> list[Measurement]:
    return perform(job, {Toy: play})


def play(task: Toy, job: Job) -> list[Measurement]:
    start, mark = time.time(), Path(task.where) / f"{task.what}-{job.seed}"
    if task.what == "fail":
        raise RuntimeError(f"seed {job.seed} fails")
    if task.what == "die" or (task.what == "die-once" and not mark.exists()):
        if task.what == "die-once":
            mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if task.what == "hog":
        exhaust_memory()
    if task.what == "hold":
        mark.write_text(str(os.getpid()))
    if task.what != "add":
        time.sleep(task.wait)
    if task.what.startswith("note"):
        mark.write_text(f"{os.getpid()} {start} {time.time()}")
    found = [Measurement("sum", add(1, 1) + job.seed)]
    return found * 2 if task.what == "repeat" else found


def exhaust_memory() -> None:
    """Ask for more than the process may have; the limit is its own again afterwards, since other jobs follow in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, hard))
    try:
        bytearray(16 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
