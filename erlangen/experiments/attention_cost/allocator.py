"""Pages of memory: an allocator that keeps them or returns them, and how many were faulted in.

By default glibc maps every large tensor anew and gives its pages back when it is freed; the kernel then clears each page of the
next one when it is first written to, and the clock measures that. Sources: mallopt(3), getrusage(2).
"""

from __future__ import annotations

import ctypes
import resource

import torch

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # of malloc.h
LARGE = 2**17  # bytes, from which glibc maps a block of its own until a program's behavior changes its mind
RESERVED = 2**28  # bytes at least


def keep_pages(numbers: int) -> bool:
    """From now on this process keeps the memory that is freed; room for so many float32 is made. False without glibc."""
    if not set_options({MMAP_MAX: 0, TRIM_THRESHOLD: -1}):
        return False
    torch.ones(max(numbers, RESERVED // 4))  # written to and freed: later tensors find these pages
    return True


def return_pages() -> bool:
    """From now on this process returns every large block when it is freed. False without glibc."""
    return set_options({MMAP_THRESHOLD: LARGE})


def set_options(options: dict[int, int]) -> bool:
    """Whether glibc's allocator took them all."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(name, value) for name, value in options.items())


def faults() -> int:
    """Page faults of this process so far, with and without a disk."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_minflt + used.ru_majflt
