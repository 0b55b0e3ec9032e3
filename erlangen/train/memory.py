"""Let glibc keep the memory that a step frees; otherwise each large map returns to the kernel and is faulted in again."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the numbers of these options in malloc.h


def keep_memory() -> None:
    """From now on this process keeps freed maps of up to 32 MiB and never trims its heap. Without glibc it does nothing."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    except (OSError, AttributeError, TypeError):  # TypeError: CDLL(None) on Windows
        pass
