"""The cost of a step: its median wall time and its peak memory."""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def median_seconds(step: Callable[[], object], repeats: int = 5, budget: float = 1.0) -> float:
    """The median wall time of step() in seconds, after one call that is not counted.

    Calls step() at least `repeats` times, and for at least `budget` seconds. Other work on the machine makes the result useless.
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
    """The peak memory of step() in MiB, above what this process held before. NaN on systems other than Linux.

    Only Linux can reset the peak. Memory that was freed before is first returned to the system; otherwise step() would reuse it
    and seem to need less.
    """
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak to the memory held now
        before = _held("VmRSS")
        step()
        return _held("VmHWM") - before
    except (OSError, AttributeError):
        return float("nan")


def _held(name: str) -> float:
    """A value of /proc/self/status in MiB."""
    return float(Path("/proc/self/status").read_text(encoding="utf-8").partition(f"{name}:")[2].split()[0]) / 2**10
