"""Let glibc keep the memory that a step frees: else each large map goes back to the kernel, to be faulted in again by pages."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # their numbers in malloc.h


def keep_memory() -> None:
    """For this process, from here on: maps up to 32 MiB are kept, and nothing is trimmed. Other C libraries are left alone."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    except (OSError, AttributeError, TypeError):  # the last on Windows, for None
        pass
