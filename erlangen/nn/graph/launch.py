"""Starting a Triton kernel of the graph layers, where it can run: on a GPU with Triton, in float32 or float64.

`gpu_sums`, `gpu_softmax` and `gpu_scores` call the kernels. Their functions return None where these cannot run: without CUDA or
Triton, under torch.compile, for other dtypes, or where a kernel did not compile, which a warning says. The caller then uses plain
operations.
"""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor

TRITON = importlib.util.find_spec("triton") is not None
DEVICES = ("cuda",)
TILE = 1024  # numbers that a warp holds at a time
_FAILED: set[tuple[object, ...]] = set()  # kernels, with their constants, that did not compile
_COMPILED: dict[tuple[object, ...], Any] = {}  # by kernel, constants and traits of what it is given


def usable(x: Tensor) -> bool:
    """Whether the kernels should run on what is on this tensor's device."""
    traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    return TRITON and x.device.type in DEVICES and not traced


def fits(*tensors: Tensor | None) -> bool:
    """Whether the kernels can read these tensors: all on a usable device, and of one dtype."""
    given = [one for one in tensors if one is not None]
    same = all(one.dtype == given[0].dtype and one.device == given[0].device for one in given)
    return usable(given[0]) and given[0].dtype in (torch.float32, torch.float64) and same


def row_blocks(heads: int, channels: int) -> tuple[dict[str, Any], int]:
    """The constants of a kernel whose programs, of one warp, have entries of a row and a block of features; how many blocks."""
    c = min(power(channels), 128)
    h = min(power(heads), 128 // c)
    constants = {"HEADS": heads, "CHANNELS": channels, "BLOCK_E": min(TILE // (h * c), 32), "BLOCK_H": h, "BLOCK_C": c}
    return constants, -(-heads // h) * -(-channels // c)


def edge_blocks(heads: int, channels: int, edges: int) -> tuple[dict[str, Any], tuple[int, int]]:
    """The constants and the grid of a kernel whose programs have a block of entries, of heads and of channels."""
    c = min(power(channels), 128)
    h = min(power(heads), 256 // c)
    e = min(2 * TILE // (h * c), 128)
    constants = {"HEADS": heads, "CHANNELS": channels, "BLOCK_E": e, "BLOCK_H": h, "BLOCK_C": c}
    return constants, (-(-edges // e), -(-heads // h))


def start(kernel: str, grid: tuple[int, int], given: tuple[Any, ...], constants: dict[str, Any], warps: int = 4) -> bool:
    """Start a kernel on the device of its first tensor. False, and a warning the first time, if it does not compile.

    A kernel that is compiled for such arguments is started without asking Triton which one fits, a question that takes several
    times as long as starting it, and longer than the sums over a small graph.
    """
    device = given[0].get_device()
    key = (kernel, device, warps, *constants.values(), *map(traits, given))
    compiled = _COMPILED.get(key)
    if compiled is not None and torch.cuda.current_device() == device:
        compiled[(*grid, 1)](*given, *constants.values())  # it knows the constants, and expects as many arguments
        return True
    if key in _FAILED:
        return False
    try:
        with on(given[0].device):
            compiled = kernels()[kernel][grid](*given, **constants, num_warps=warps)
    except Exception as error:  # a compiler that is missing or fails may raise anything
        _FAILED.add(key)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        warnings.warn(f"a graph layer uses plain operations, which are slower, because Triton failed: {reason}", stacklevel=3)
        return False
    if compiled is not None:  # Triton's interpreter compiles nothing
        _COMPILED[key] = compiled
    return True


def traits(given: Tensor | int) -> tuple[object, ...]:
    """All that a compiled kernel assumes about an argument: dtype and alignment of a tensor, the width of an integer."""
    return (given.dtype, given.data_ptr() % 16 == 0) if isinstance(given, Tensor) else (given < 2**31,)


def on(device: torch.device) -> AbstractContextManager[object]:
    """A context in which a CUDA device is the current one, on which Triton starts its kernels."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@cache
def kernels() -> dict[str, Any]:
    """The kernels by name, from modules that only builds with Triton can import."""
    from erlangen.nn.graph import score_kernels, softmax_kernels, sum_kernels

    return {**vars(sum_kernels), **vars(softmax_kernels), **vars(score_kernels)}


def power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
