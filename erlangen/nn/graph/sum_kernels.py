# mypy: ignore-errors
# ruff: noqa: N803
"""Triton kernels for graph layers on a GPU: sums over a node's edges, and dots of its features with those of its neighbors.

`erlangen.nn.graph.gpu_sums` calls them; their plain twins are in `csr`. None of the kernels of this package stores a vector per
edge except where one is asked for, and none uses atomics: the same input gives the same bits. Sums are in the dtype of the input,
float32 or float64; indices are int32 or int64. Entries are sorted by row, and row v has those from rowptr[v] to rowptr[v + 1]. A
node's features are (heads, channels), F = HEADS · CHANNELS numbers in all.
"""

from __future__ import annotations

from importlib import import_module

triton, tl = import_module("triton"), import_module("triton.language")  # only CUDA builds of torch bring it


@triton.jit
def block(number, CHANNELS: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr):
    """The heads (BLOCK_H,) and channels (BLOCK_C,) of a block of features."""
    across: tl.constexpr = (CHANNELS + BLOCK_C - 1) // BLOCK_C
    return (number // across) * BLOCK_H + tl.arange(0, BLOCK_H), (number % across) * BLOCK_C + tl.arange(0, BLOCK_C)


@triton.jit
def row_sums(
    x, weight, col, order, rowptr, out,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WEIGHTED: tl.constexpr, ORDERED: tl.constexpr, GATHERED: tl.constexpr,
    DIVIDED: tl.constexpr, MEAN: tl.constexpr, ADDED: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """out (rows, F) = Σ over the entries of a row of weight (E, HEADS) · x (cols, F). One program: a row, a block of features.

    ORDERED: the weight of entry e is weight[order[e]]. GATHERED: its x is x[col[e]], else x[e]. DIVIDED: x / weight in place of
    weight · x. MEAN: the sum is divided by the number of entries. ADDED: and added to what is in out.
    """
    row = tl.program_id(0).to(tl.int64)
    h, c = block(tl.program_id(1), CHANNELS, BLOCK_H, BLOCK_C)
    f = h[:, None] * CHANNELS + c[None, :]
    real = (h < HEADS)[:, None] & (c < CHANNELS)[None, :]
    begin = tl.load(rowptr + row)
    end = tl.load(rowptr + row + 1)
    total = tl.zeros((BLOCK_E, BLOCK_H, BLOCK_C), x.dtype.element_ty)
    for start in range(begin, end, BLOCK_E):
        e = start + tl.arange(0, BLOCK_E)
        live = e < end
        u = e.to(tl.int64)
        if GATHERED:
            u = tl.load(col + e, mask=live, other=0).to(tl.int64)
        at = (u * (HEADS * CHANNELS))[:, None, None] + f[None, :, :]
        terms = tl.load(x + at, mask=live[:, None, None] & real[None, :, :], other=0.0)
        if WEIGHTED:
            place = e.to(tl.int64)
            if ORDERED:
                place = tl.load(order + e, mask=live, other=0).to(tl.int64)
            mask = live[:, None] & (h < HEADS)[None, :]
            factors = tl.load(weight + (place * HEADS)[:, None] + h[None, :], mask=mask, other=1)[:, :, None]
            if DIVIDED:
                terms /= factors.to(terms.dtype)
            else:
                terms *= factors
        total += terms
    result = tl.sum(total, 0)
    if MEAN:
        result /= tl.maximum(end - begin, 1).to(result.dtype)
    at = out + row * (HEADS * CHANNELS) + f
    if ADDED:
        result += tl.load(at, mask=real, other=0.0)
    tl.store(at, result, mask=real)


@triton.jit(do_not_specialize=["edges"])
def edge_dots(
    a, b, row, col, out, edges,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """out (E, HEADS) = a[row] · b[col] for each head; a (rows, F), b (cols, F). One program: BLOCK_E entries, BLOCK_H heads."""
    e = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    live, real = e < edges, h < HEADS
    v = tl.load(row + e, mask=live, other=0).to(tl.int64) * (HEADS * CHANNELS)
    u = tl.load(col + e, mask=live, other=0).to(tl.int64) * (HEADS * CHANNELS)
    total = tl.zeros((BLOCK_E, BLOCK_H), a.dtype.element_ty)
    for start in range(0, CHANNELS, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        f = h[:, None] * CHANNELS + c[None, :]
        mask = live[:, None, None] & (real[:, None] & (c < CHANNELS)[None, :])[None, :, :]
        left = tl.load(a + v[:, None, None] + f[None, :, :], mask=mask, other=0.0)
        right = tl.load(b + u[:, None, None] + f[None, :, :], mask=mask, other=0.0)
        total += tl.sum(left * right, 2)
    tl.store(out + e[:, None] * HEADS + h[None, :], total, mask=live[:, None] & real[None, :])
