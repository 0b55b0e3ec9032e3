"""What a step costs: median wall time, and the most memory that it holds at once."""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def median_seconds(step: Callable[[], object], repeats: int = 5, budget: float = 1.0) -> float:
    """Median wall seconds of step(), after one call that does not count.

    At least `repeats` calls, and more until `budget` seconds are spent. Means little beside other work on the machine.
    """
    step()
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < repeats or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_mib(step: Callable[[], object]) -> float:
    """The most memory that step() holds at once, MiB above what this process held before. NaN where the system does not tell.

    Linux alone lets the count start anew. Memory that was freed before is given back first: else step() would find some of its
    own there, and cost less than it does.
    """
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts at what is held now
        before = _held("VmRSS")
        step()
        return _held("VmHWM") - before
    except (OSError, AttributeError):
        return float("nan")


def _held(name: str) -> float:
    """A line of /proc/self/status, MiB."""
    return float(Path("/proc/self/status").read_text(encoding="utf-8").partition(f"{name}:")[2].split()[0]) / 2**10
