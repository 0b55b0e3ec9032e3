# mypy: ignore-errors
# ruff: noqa: N803
"""Triton kernels for graph layers on a GPU: sums over a node's edges, dots and scores on the edges, and their softmax.

`erlangen.nn.graph.launch` calls them; their plain twins are in `csr`, `edge_operations` and `leaky_scores`. None of them stores a
vector per edge except where one is asked for, and none uses atomics: the same input gives the same bits. Sums are in the dtype of
the input, float32 or float64; indices are int32 or int64. Entries are sorted by row, and row v has those from rowptr[v] to
rowptr[v + 1]. A node's features are (heads, channels), F = HEADS · CHANNELS numbers in all.
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
    BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """out (rows, F) = Σ over the entries of a row of weight (E, HEADS) · x (cols, F). One program: a row, a block of features.

    ORDERED: the weight of entry e is weight[order[e]]. GATHERED: its x is x[col[e]], else x[e].
    """
    row = tl.program_id(0).to(tl.int64)
    h, c = block(tl.program_id(1), CHANNELS, BLOCK_H, BLOCK_C)
    f = h[:, None] * CHANNELS + c[None, :]
    real = (h < HEADS)[:, None] & (c < CHANNELS)[None, :]
    end = tl.load(rowptr + row + 1)
    total = tl.zeros((BLOCK_E, BLOCK_H, BLOCK_C), x.dtype.element_ty)
    for start in range(tl.load(rowptr + row), end, BLOCK_E):
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
            terms *= tl.load(weight + (place * HEADS)[:, None] + h[None, :], mask=mask, other=0.0)[:, :, None]
        total += terms
    tl.store(out + row * (HEADS * CHANNELS) + f, tl.sum(total, 0), mask=real)


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


@triton.jit(do_not_specialize=["edges"])
def leaky_scores(
    left, right, att, given, row, col, out, edges,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, SLOPE: tl.constexpr, WEIGHTED: tl.constexpr, GIVEN: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """out (E, HEADS) = Σ over the channels of att · LeakyReLU(left[col] + right[row] + given). One program as in `edge_dots`.

    left (cols, F), right (rows, F); att (F,) if WEIGHTED, else 1; given (E, F) if GIVEN, else 0.
    """
    e = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)
    h = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)
    live, real = e < edges, h < HEADS
    v = tl.load(row + e, mask=live, other=0).to(tl.int64) * (HEADS * CHANNELS)
    u = tl.load(col + e, mask=live, other=0).to(tl.int64) * (HEADS * CHANNELS)
    total = tl.zeros((BLOCK_E, BLOCK_H), left.dtype.element_ty)
    for start in range(0, CHANNELS, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        f = h[:, None] * CHANNELS + c[None, :]
        feature = real[:, None] & (c < CHANNELS)[None, :]
        mask = live[:, None, None] & feature[None, :, :]
        z = tl.load(left + u[:, None, None] + f[None, :, :], mask=mask, other=0.0)
        z += tl.load(right + v[:, None, None] + f[None, :, :], mask=mask, other=0.0)
        if GIVEN:
            z += tl.load(given + (e * (HEADS * CHANNELS))[:, None, None] + f[None, :, :], mask=mask, other=0.0)
        y = tl.where(z > 0, z, z * SLOPE)
        if WEIGHTED:
            y *= tl.load(att + f, mask=feature, other=0.0)[None, :, :]
        total += tl.sum(y, 2)
    tl.store(out + e[:, None] * HEADS + h[None, :], total, mask=live[:, None] & real[None, :])


@triton.jit
def leaky_sums(
    here, there, given, grad, owner, col, order, rowptr, out,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, SLOPE: tl.constexpr, GIVEN: tl.constexpr, ORDERED: tl.constexpr,
    SPLIT: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """out (rows, F) = Σ over the entries of a row of grad · LeakyReLU'(here[row] + there[col] + given). Programs: see `row_sums`.

    here (rows, F), there (cols, F), given (E, F) if GIVEN, grad (E, HEADS); ORDERED: given and grad of entry e are at order[e].
    SPLIT: the programs have pieces of rows, and piece p belongs to row owner[p].
    """
    piece = tl.program_id(0).to(tl.int64)
    row = piece
    if SPLIT:
        row = tl.load(owner + piece).to(tl.int64)
    h, c = block(tl.program_id(1), CHANNELS, BLOCK_H, BLOCK_C)
    f = h[:, None] * CHANNELS + c[None, :]
    real = (h < HEADS)[:, None] & (c < CHANNELS)[None, :]
    end = tl.load(rowptr + piece + 1)
    own = tl.load(here + row * (HEADS * CHANNELS) + f, mask=real, other=0.0)
    total = tl.zeros((BLOCK_E, BLOCK_H, BLOCK_C), here.dtype.element_ty)
    for start in range(tl.load(rowptr + piece), end, BLOCK_E):
        e = start + tl.arange(0, BLOCK_E)
        live = e < end
        mask = live[:, None, None] & real[None, :, :]
        u = tl.load(col + e, mask=live, other=0).to(tl.int64)
        place = e.to(tl.int64)
        if ORDERED:
            place = tl.load(order + e, mask=live, other=0).to(tl.int64)
        z = own[None, :, :] + tl.load(there + (u * (HEADS * CHANNELS))[:, None, None] + f[None, :, :], mask=mask, other=0.0)
        if GIVEN:
            z += tl.load(given + (place * (HEADS * CHANNELS))[:, None, None] + f[None, :, :], mask=mask, other=0.0)
        at = (place * HEADS)[:, None] + h[None, :]
        g = tl.load(grad + at, mask=live[:, None] & (h < HEADS)[None, :], other=0.0)[:, :, None]
        total += tl.where(z > 0, g, g * SLOPE)
    tl.store(out + piece * (HEADS * CHANNELS) + f, tl.sum(total, 0), mask=real)


@triton.jit(do_not_specialize=["edges"])
def leaky_slopes(
    left, right, given, grad, row, col, out, edges,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, SLOPE: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """out (E, F) = grad (E, HEADS) · LeakyReLU'(left[col] + right[row] + given (E, F)). One program: BLOCK_E entries."""
    e = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)
    h, c = block(tl.program_id(1), CHANNELS, BLOCK_H, BLOCK_C)
    f = (h[:, None] * CHANNELS + c[None, :])[None, :, :]
    live = e < edges
    mask = live[:, None, None] & ((h < HEADS)[:, None] & (c < CHANNELS)[None, :])[None, :, :]
    v = tl.load(row + e, mask=live, other=0).to(tl.int64) * (HEADS * CHANNELS)
    u = tl.load(col + e, mask=live, other=0).to(tl.int64) * (HEADS * CHANNELS)
    at = (e * (HEADS * CHANNELS))[:, None, None] + f
    z = tl.load(left + u[:, None, None] + f, mask=mask, other=0.0)
    z += tl.load(right + v[:, None, None] + f, mask=mask, other=0.0)
    z += tl.load(given + at, mask=mask, other=0.0)
    g = tl.load(grad + (e * HEADS)[:, None] + h[None, :], mask=live[:, None] & (h < HEADS)[None, :], other=0.0)[:, :, None]
    tl.store(out + at, tl.where(z > 0, g, g * SLOPE), mask=mask)
