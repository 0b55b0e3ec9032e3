"""Pages of memory: an allocator that keeps them or returns them, and how many were faulted in.

By default glibc maps every large tensor anew and gives its pages back when it is freed; the kernel then clears each page of the
next one when it is first written to, and the clock measures that. Sources: mallopt(3), getrusage(2).
"""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Callable

import torch

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4  # of malloc.h
LARGE = 2**17  # bytes, from which glibc maps a block of its own until a program's behavior changes its mind
RESERVED = 2**28  # bytes at least
FEW = 1000  # page faults of a call that needs no new memory
CALM = 5  # calls in a row with so few of them, after which a clock may run
MOST_CALLS = 20  # that are waited for


def keep_pages(numbers: int) -> bool:
    """From now on this process keeps the memory that is freed; room for so many float32 is made. False without glibc."""
    if not set_options({MMAP_MAX: 0, TRIM_THRESHOLD: -1}):
        return False
    torch.ones(max(numbers, RESERVED // 4))  # written to and freed: later tensors find these pages
    return True


def return_pages() -> bool:
    """From now on this process returns every large block when it is freed. False without glibc."""
    return set_options({MMAP_THRESHOLD: LARGE})


def settle(step: Callable[[], object]) -> int:
    """Call it until CALM calls in a row have faulted in few pages, at most MOST_CALLS times; how often it was called.

    Even an allocator that keeps its pages asks for new ones in the first calls. For an aligned block glibc (before 2.38) looks
    for some bytes more than the block takes, so that a freed block serves the next one of its size only while the bytes next to
    it are free as well. The heap grows until it has enough gaps: for up to a dozen calls, and in some processes only.
    """
    calm = 0
    for calls in range(1, MOST_CALLS + 1):
        before = faults()
        step()
        calm = calm + 1 if faults() - before <= FEW else 0
        if calm == CALM:
            return calls
    return MOST_CALLS


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
