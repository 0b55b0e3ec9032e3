"""The kernels of `erlangen.nn.graph.kernels` on the edges of a CSR structure, for tensors on a GPU.

Each function returns None where they cannot run: without CUDA or Triton, under torch.compile, for other dtypes than float32 and
float64, or where a kernel did not compile, which a warning says once. The caller then uses plain operations.
"""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from erlangen.nn.graph.csr import CSR

TRITON = importlib.util.find_spec("triton") is not None
DEVICES = ("cuda",)
TILE = 1024  # numbers that a warp holds at a time
_FAILED: set[tuple[object, ...]] = set()  # kernels, with their constants, that did not compile


def usable(x: Tensor) -> bool:
    """Whether the kernels should run on what is on this tensor's device."""
    traced = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    return TRITON and x.device.type in DEVICES and not traced


def fits(*tensors: Tensor | None) -> bool:
    """Whether the kernels can read these tensors: all on a usable device, and of one dtype."""
    given = [one for one in tensors if one is not None]
    same = all(one.dtype == given[0].dtype and one.device == given[0].device for one in given)
    return usable(given[0]) and given[0].dtype in (torch.float32, torch.float64) and same


def row_sums(csr: CSR, x: Tensor, weight: Tensor | None = None, ordered: bool = False) -> Tensor | None:
    """Σ over the entries of each row of weight · x: x (cols, F) and weight (E,), or x (cols, heads, C) and weight (E, heads).

    -> (rows, F) or (rows, heads, C). ordered: the weight of entry e is weight[csr.order[e]].
    """
    if not fits(x, weight):
        return None
    heads = 1 if weight is None or weight.ndim == 1 else weight.shape[1]
    c, x = csr.compact, x.contiguous()
    constants, blocks = row_blocks(heads, x.shape[1:].numel() // heads)
    constants |= {"WEIGHTED": weight is not None, "ORDERED": ordered, "GATHERED": True}
    sums = x.new_empty(c.pieces, *x.shape[1:])
    given = (x, x if weight is None else weight.contiguous(), c.col, c.order, c.rowptr, sums)
    if not start("row_sums", (c.pieces, blocks), given, constants, warps=1):
        return None
    return sums if c.parts is None else joined(sums, c.parts)


def joined(sums: Tensor, parts: Tensor) -> Tensor | None:
    """The sums of the pieces of each row: sums (pieces, ...) -> (rows, ...)."""
    out = sums.new_empty(len(parts) - 1, *sums.shape[1:])
    constants, blocks = row_blocks(1, sums.shape[1:].numel())
    constants |= {"WEIGHTED": False, "ORDERED": False, "GATHERED": False}
    return out if start("row_sums", (len(out), blocks), (sums, sums, parts, parts, parts, out), constants, warps=1) else None


def edge_dots(csr: CSR, a: Tensor, b: Tensor) -> Tensor | None:
    """a_v · b_u for every entry (v, u): (rows, F) and (cols, F) -> (E,); (rows, heads, C) and (cols, heads, C) -> (E, heads)."""
    if not fits(a, b):
        return None
    heads, c, a, b = (1 if a.ndim == 2 else a.shape[1]), csr.compact, a.contiguous(), b.contiguous()
    constants, grid = edge_blocks(heads, a.shape[-1], len(c.col))
    out = a.new_empty(len(c.col), *a.shape[1:-1])
    return out if start("edge_dots", grid, (a, b, c.row, c.col, out, len(c.col)), constants) else None


def row_softmax(csr: CSR, scores: Tensor) -> Tensor | None:
    """The softmax of scores (E, heads) over the entries of each row."""
    if not fits(scores):
        return None
    c, scores = csr.compact, scores.contiguous()
    out = torch.empty_like(scores)
    constants, grid = softmax_blocks(c.pieces, scores.shape[1])
    if c.owner is None:
        return out if start("row_softmax", grid, (scores, c.rowptr, out), constants, warps=1) else None
    largest, total = (scores.new_empty(c.pieces, scores.shape[1]) for _ in range(2))
    if not start("piece_sums", grid, (scores, c.rowptr, largest, total), constants, warps=1):
        return None
    given = (scores, largest, total, c.owner, c.parts, c.rowptr, out)
    return out if start("piece_softmax", grid, given, constants, warps=1) else None


def row_softmax_gradient(csr: CSR, attention: Tensor, grad: Tensor) -> Tensor | None:
    """The gradient of the scores, (E, heads), from the attention and its gradient."""
    if not fits(attention, grad):
        return None
    c, attention, grad = csr.compact, attention.contiguous(), grad.contiguous()
    out = torch.empty_like(attention)
    constants, grid = softmax_blocks(c.pieces, attention.shape[1])
    if c.parts is None:
        return out if start("row_softmax_gradient", grid, (attention, grad, c.rowptr, out), constants, warps=1) else None
    sums = grad.new_empty(c.pieces, grad.shape[1])
    if not start("piece_weighted_sums", grid, (attention, grad, c.rowptr, sums), constants, warps=1):
        return None
    means = joined(sums, c.parts)
    given = (attention, grad, means, c.owner, c.rowptr, out)
    return out if means is not None and start("piece_softmax_gradient", grid, given, constants, warps=1) else None


def leaky_scores(csr: CSR, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, slope: float) -> Tensor | None:
    """Σ over the channels of att · LeakyReLU(left_u + right_v + given) for every entry (v, u), (E, heads).

    left (cols, heads, C), right (rows, heads, C), att (heads, C) or None for 1, given (E, heads, C) or None for 0.
    """
    if not fits(left, right, att, given):
        return None
    c, left, right = csr.compact, left.contiguous(), right.contiguous()
    constants, grid = edge_blocks(left.shape[1], left.shape[2], len(c.col))
    constants |= {"SLOPE": slope, "WEIGHTED": att is not None, "GIVEN": given is not None}
    out = left.new_empty(len(c.col), left.shape[1])
    optional = (left if att is None else att.contiguous(), left if given is None else given.contiguous())
    return out if start("leaky_scores", grid, (left, right, *optional, c.row, c.col, out, len(c.col)), constants) else None


def leaky_sums(
    csr: CSR, here: Tensor, there: Tensor, given: Tensor | None, grad: Tensor, slope: float, ordered: bool
) -> Tensor | None:
    """Σ over the entries of each row of grad · LeakyReLU'(here_v + there_u + given), (rows, heads, C).

    here (rows, heads, C), there (cols, heads, C), given (E, heads, C) or None, grad (E, heads); ordered as in `row_sums`.
    """
    if not fits(here, there, given, grad):
        return None
    c, here, there = csr.compact, here.contiguous(), there.contiguous()
    constants, blocks = row_blocks(here.shape[1], here.shape[2])
    constants |= {"SLOPE": slope, "GIVEN": given is not None, "ORDERED": ordered, "SPLIT": c.owner is not None}
    sums = here.new_empty(c.pieces, *here.shape[1:])
    optional = (here if given is None else given.contiguous(), grad.contiguous(), c.rowptr if c.owner is None else c.owner)
    arguments = (here, there, *optional, c.col, c.order, c.rowptr, sums)
    if not start("leaky_sums", (c.pieces, blocks), arguments, constants, warps=1):
        return None
    return sums if c.parts is None else joined(sums, c.parts)


def leaky_slopes(csr: CSR, left: Tensor, right: Tensor, given: Tensor, grad: Tensor, slope: float) -> Tensor | None:
    """grad · LeakyReLU'(left_u + right_v + given) for every entry (v, u), (E, heads, C); shapes as in `leaky_scores`."""
    if not fits(left, right, given, grad):
        return None
    c, left, right, given = csr.compact, left.contiguous(), right.contiguous(), given.contiguous()
    constants, blocks = row_blocks(left.shape[1], left.shape[2])
    constants |= {"SLOPE": slope}
    out, grid = torch.empty_like(given), (-(-len(c.col) // constants["BLOCK_E"]), blocks)
    arguments = (left, right, given, grad.contiguous(), c.row, c.col, out, len(c.col))
    return out if start("leaky_slopes", grid, arguments, constants, warps=1) else None


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


def softmax_blocks(rows: int, heads: int) -> tuple[dict[str, Any], tuple[int, int]]:
    """The constants and the grid of a kernel whose programs have a row, or a piece of one, and a block of heads."""
    h = min(power(heads), 32)
    return {"HEADS": heads, "BLOCK_E": 32, "BLOCK_H": h}, (rows, -(-heads // h))


def start(kernel: str, grid: tuple[int, int], given: tuple[Any, ...], constants: dict[str, Any], warps: int = 4) -> bool:
    """Start a kernel on the device of its first tensor. False, and a warning the first time, if it does not compile."""
    key = (kernel, given[0].dtype, *constants.values())
    if key in _FAILED:
        return False
    try:
        with on(given[0].device):
            getattr(kernels(), kernel)[grid](*given, **constants, num_warps=warps)
    except Exception as error:  # a compiler that is missing or fails may raise anything
        _FAILED.add(key)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        warnings.warn(f"a graph layer uses plain operations, which are slower, because Triton failed: {reason}", stacklevel=3)
        return False
    return True


def on(device: torch.device) -> AbstractContextManager[object]:
    """A context in which a CUDA device is the current one, on which Triton starts its kernels."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@cache
def kernels() -> Any:
    """The module of the kernels, which only builds with Triton can import."""
    from erlangen.nn.graph import kernels

    return cast(Any, kernels)


def power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
