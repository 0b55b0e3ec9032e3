"""What a run is recorded with: the machine and the versions. Loads no torch."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

from erlangen._version import __version__
from erlangen.records.files import Scalar


def versions() -> dict[str, str]:
    """Python, erlangen, and the packages that decide or judge the numbers."""
    packages = ("torch", "numpy", "scipy", "altair")
    return {
        "erlangen": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def machine() -> dict[str, Scalar]:
    """Processor, cores that this process may use, memory in GiB, operating system."""
    return {"processor": processor(), "cores": cores(), "memory_gib": memory_gib(), "system": platform.platform()}


def cores() -> int:
    """Cores that this process may use: affinity counts, not what the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name as the system gives it, with the vector formats that decide its speed."""
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        flags = fields.get("flags", "").split()
        formats = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
        return " ".join([fields.get("model name", platform.machine()), *formats])
    return platform.processor() or platform.machine()


def memory_gib() -> float | None:
    """All the memory that the machine has, in use or free, in GiB; None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
