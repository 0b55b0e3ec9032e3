"""What a step costs: median wall time, and the peak of this process's memory."""

from __future__ import annotations

import statistics
import sys
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


def peak_mib() -> float:
    """The most memory that this process ever held, MiB; it never falls. NaN on a system that does not tell.

    Linux's own count first: that of `getrusage` starts with what the parent held when it made the process.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return float(status.partition("VmHWM:")[2].split()[0]) / 2**10  # KiB
    except (OSError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
