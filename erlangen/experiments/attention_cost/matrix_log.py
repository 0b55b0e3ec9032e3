"""The products that a kernel computes, as Intel's matrix library logs them: a count that needs no formula.

torch's attention kernel for a CPU calls the library once for each block and product, which its log lists one a line:
`MKL_VERBOSE SGEMM(T,N,512,64,16,...)` is a product of (512 × 16) by (16 × 64).
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable

import torch

LINE = re.compile(r"^MKL_VERBOSE [SD]GEMM\([TNC],[TNC],(\d+),(\d+),(\d+),", re.MULTILINE)
BATCH = re.compile(r"^MKL_VERBOSE \w*GEMM_", re.MULTILINE)


def logged_multiply_adds(step: Callable[[], object]) -> float:
    """The multiply-adds of the products in the log of step(); NaN where torch has another library, or batches are logged."""
    if not torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
        return math.nan
    step()  # what is set up once is no part of it
    text = log_of(step)
    sizes = [[int(size) for size in line] for line in LINE.findall(text)]
    return float(sum(m * n * k for m, n, k in sizes)) if sizes and not BATCH.search(text) else math.nan


def log_of(step: Callable[[], object]) -> str:
    """What the library writes to the process's standard output, below Python, while step() runs."""
    sys.stdout.flush()
    flush = ctypes.CDLL(None).fflush
    with tempfile.TemporaryFile() as file:
        before = os.dup(1)
        try:
            flush(None)
            os.dup2(file.fileno(), 1)
            with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):  # type: ignore[no-untyped-call]
                step()
        finally:
            flush(None)
            os.dup2(before, 1)
            os.close(before)
        file.seek(0)
        return file.read().decode()
