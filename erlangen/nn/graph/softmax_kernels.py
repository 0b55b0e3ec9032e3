# mypy: ignore-errors
# ruff: noqa: N803
"""Triton kernels for the softmax over a node's edges and its gradient, of whole rows and of rows in pieces (see `compact`).

`erlangen.nn.graph.gpu_softmax` calls them; their plain twin is in `edge_operations`. The conventions are those of `sum_kernels`.
Source: Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018.
"""

from __future__ import annotations

from importlib import import_module

triton, tl = import_module("triton"), import_module("triton.language")  # only CUDA builds of torch bring it


@triton.jit
def score_sums(scores, first, end, h, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr):
    """The largest of some entries' scores, and the sum of exp(score - largest), (BLOCK_H,) each; -inf and 0 where all are -inf.

    Each lane keeps the largest score that it has seen and its sum; they are joined at the end.
    """
    best = tl.full((BLOCK_E, BLOCK_H), float("-inf"), scores.dtype.element_ty)
    total = tl.zeros((BLOCK_E, BLOCK_H), scores.dtype.element_ty)
    for start in range(first, end, BLOCK_E):
        e = start + tl.arange(0, BLOCK_E)
        mask = (e < end)[:, None] & (h < HEADS)[None, :]
        s = tl.load(scores + (e.to(tl.int64) * HEADS)[:, None] + h[None, :], mask=mask, other=-float("inf"))
        above = tl.maximum(best, s)
        shift = tl.where(above == -float("inf"), 0.0, above)
        total = total * tl.exp(best - shift) + tl.exp(s - shift)
        best = above
    largest = tl.max(best, 0)
    shift = tl.where(largest == -float("inf"), 0.0, largest)
    return largest, tl.sum(total * tl.exp(best - shift[None, :]), 0)


@triton.jit
def store_softmax(scores, out, first, end, h, largest, total, HEADS: tl.constexpr, BLOCK_E: tl.constexpr):
    """exp(score - largest) / total of some entries; NaN where all scores are -inf or one is not finite, as torch's softmax."""
    shift = tl.where(largest == -float("inf"), 0.0, largest)
    for start in range(first, end, BLOCK_E):
        e = start + tl.arange(0, BLOCK_E)
        mask = (e < end)[:, None] & (h < HEADS)[None, :]
        at = (e.to(tl.int64) * HEADS)[:, None] + h[None, :]
        s = tl.load(scores + at, mask=mask, other=0.0)
        tl.store(out + at, tl.exp(s - shift[None, :]) / total[None, :], mask=mask)


@triton.jit
def row_softmax(scores, rowptr, out, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr):
    """out (E, HEADS) = softmax of scores (E, HEADS) over the entries of each row. One program: a row, BLOCK_H heads."""
    row = tl.program_id(0).to(tl.int64)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    first, end = tl.load(rowptr + row), tl.load(rowptr + row + 1)
    largest, total = score_sums(scores, first, end, h, HEADS, BLOCK_E, BLOCK_H)
    store_softmax(scores, out, first, end, h, largest, total, HEADS, BLOCK_E)


@triton.jit
def piece_sums(scores, rowptr, largest, total, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr):
    """largest and total (pieces, HEADS), as `score_sums` of each piece of a row."""
    piece = tl.program_id(0).to(tl.int64)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    best, sums = score_sums(scores, tl.load(rowptr + piece), tl.load(rowptr + piece + 1), h, HEADS, BLOCK_E, BLOCK_H)
    tl.store(largest + piece * HEADS + h, best, mask=h < HEADS)
    tl.store(total + piece * HEADS + h, sums, mask=h < HEADS)


@triton.jit
def piece_softmax(
    scores, largest, total, owner, parts, rowptr, out, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr
):  # fmt: skip
    """`row_softmax` for a piece of a row, from the `piece_sums` of all pieces of the row. One program: a piece, BLOCK_H heads."""
    piece = tl.program_id(0).to(tl.int64)
    row = tl.load(owner + piece).to(tl.int64)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    best = tl.full((BLOCK_E, BLOCK_H), float("-inf"), scores.dtype.element_ty)
    sums = tl.zeros((BLOCK_E, BLOCK_H), scores.dtype.element_ty)
    until = tl.load(parts + row + 1)
    for start in range(tl.load(parts + row), until, BLOCK_E):
        other = start + tl.arange(0, BLOCK_E)
        mask = (other < until)[:, None] & (h < HEADS)[None, :]
        at = (other.to(tl.int64) * HEADS)[:, None] + h[None, :]
        m = tl.load(largest + at, mask=mask, other=-float("inf"))
        above = tl.maximum(best, m)
        shift = tl.where(above == -float("inf"), 0.0, above)
        sums = sums * tl.exp(best - shift) + tl.load(total + at, mask=mask, other=0.0) * tl.exp(m - shift)
        best = above
    most = tl.max(best, 0)
    shift = tl.where(most == -float("inf"), 0.0, most)
    whole = tl.sum(sums * tl.exp(best - shift[None, :]), 0)
    store_softmax(scores, out, tl.load(rowptr + piece), tl.load(rowptr + piece + 1), h, most, whole, HEADS, BLOCK_E)


@triton.jit
def weighted_sum(attention, grad, first, end, h, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr):
    """Σ α g over some entries, (BLOCK_H,)."""
    total = tl.zeros((BLOCK_E, BLOCK_H), grad.dtype.element_ty)
    for start in range(first, end, BLOCK_E):
        e = start + tl.arange(0, BLOCK_E)
        mask = (e < end)[:, None] & (h < HEADS)[None, :]
        at = (e.to(tl.int64) * HEADS)[:, None] + h[None, :]
        total += tl.load(attention + at, mask=mask, other=0.0) * tl.load(grad + at, mask=mask, other=0.0)
    return tl.sum(total, 0)


@triton.jit
def store_gradient(attention, grad, out, first, end, h, mean, HEADS: tl.constexpr, BLOCK_E: tl.constexpr):
    """α (g - mean) of some entries."""
    for start in range(first, end, BLOCK_E):
        e = start + tl.arange(0, BLOCK_E)
        mask = (e < end)[:, None] & (h < HEADS)[None, :]
        at = (e.to(tl.int64) * HEADS)[:, None] + h[None, :]
        alpha, g = tl.load(attention + at, mask=mask, other=0.0), tl.load(grad + at, mask=mask, other=0.0)
        tl.store(out + at, alpha * (g - mean[None, :]), mask=mask)


@triton.jit
def row_softmax_gradient(
    attention, grad, rowptr, out, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr
):  # fmt: skip
    """out (E, HEADS) = α (g - Σ α g), the sum over the entries of a row. One program: a row, BLOCK_H heads."""
    row = tl.program_id(0).to(tl.int64)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    first, end = tl.load(rowptr + row), tl.load(rowptr + row + 1)
    mean = weighted_sum(attention, grad, first, end, h, HEADS, BLOCK_E, BLOCK_H)
    store_gradient(attention, grad, out, first, end, h, mean, HEADS, BLOCK_E)


@triton.jit
def piece_weighted_sums(
    attention, grad, rowptr, out, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr
):  # fmt: skip
    """out (pieces, HEADS) = Σ α g over the entries of each piece of a row."""
    piece = tl.program_id(0).to(tl.int64)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    first, end = tl.load(rowptr + piece), tl.load(rowptr + piece + 1)
    tl.store(out + piece * HEADS + h, weighted_sum(attention, grad, first, end, h, HEADS, BLOCK_E, BLOCK_H), mask=h < HEADS)


@triton.jit
def piece_softmax_gradient(
    attention, grad, means, owner, rowptr, out, HEADS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr
):  # fmt: skip
    """`row_softmax_gradient` for a piece of a row, from means (rows, HEADS) = Σ α g. One program: a piece, BLOCK_H heads."""
    piece = tl.program_id(0).to(tl.int64)
    row = tl.load(owner + piece).to(tl.int64)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    mean = tl.load(means + row * HEADS + h, mask=h < HEADS, other=0.0)
    first, end = tl.load(rowptr + piece), tl.load(rowptr + piece + 1)
    store_gradient(attention, grad, out, first, end, h, mean, HEADS, BLOCK_E)
