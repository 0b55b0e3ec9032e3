"""The toy's jobs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from erlangen.records.runs import Job, Measurement
from support.toy.adding import add


def run(job: Job) -> list[Measurement]:
    task, start = str(job.params["task"]), time.time()
    mark = Path(str(job.params["where"])) / f"{task}-{job.seed}"
    if task == "fail":
        raise RuntimeError(f"seed {job.seed} fails")
    if task == "die" or (task == "die-once" and not mark.exists()):
        if task == "die-once":
            mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hold":
        mark.write_text(str(os.getpid()))
    if task != "add":
        time.sleep(float(job.params["wait"] or 0))
    if task.startswith("note"):
        mark.write_text(f"{os.getpid()} {start} {time.time()}")
    found = [Measurement("sum", add(1, 1) + job.seed)]
    return found * 2 if task == "repeat" else found
