# mypy: ignore-errors
# ruff: noqa: N803
"""Triton kernels for the scores of GAT and GATv2 and their gradients; the conventions are those of `sum_kernels`.

`erlangen.nn.graph.gpu_scores` calls them; their plain twin is in `leaky_scores`, which has the equations.
"""

from __future__ import annotations

from importlib import import_module

from erlangen.nn.graph.sum_kernels import block

triton, tl = import_module("triton"), import_module("triton.language")  # only CUDA builds of torch bring it


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
