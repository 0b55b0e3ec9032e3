# mypy: ignore-errors
# ruff: noqa: N803
"""Triton kernels for the cross-entropy of logits in bfloat16: each pass reads the matrix once, and nothing in float32 is stored.

`erlangen.models.streamed_loss` calls them; their plain twin is `erlangen.models.head_loss.LeanCrossEntropy`. Source: Milakov &
Gimelshein, "Online normalizer calculation for softmax", 2018.
"""

from __future__ import annotations

from importlib import import_module

triton, tl = import_module("triton"), import_module("triton.language")  # only CUDA builds of torch bring it


@triton.jit
def row_losses(logits, targets, losses, lse, COLUMNS: tl.constexpr, BLOCK: tl.constexpr):
    """losses (N,) = lse - logit of the target, lse (N,) = log Σ exp(logits), float32; logits (N, COLUMNS). One program: a row.

    A target outside [0, COLUMNS) has the loss NaN.
    """
    row = tl.program_id(0).to(tl.int64)  # N · COLUMNS may exceed 2^31
    at = logits + row * COLUMNS
    best = float("-inf")
    total = 0.0
    for start in range(0, COLUMNS, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = tl.load(at + column, mask=column < COLUMNS, other=-float("inf")).to(tl.float32)
        above = tl.maximum(best, tl.max(x, 0))
        total = total * tl.exp(best - above) + tl.sum(tl.exp(x - above), 0)
        best = above
    target = tl.load(targets + row)
    valid = (target >= 0) & (target < COLUMNS)
    at_target = tl.load(at + target, mask=valid, other=float("nan")).to(tl.float32)
    tl.store(losses + row, tl.log(total) - (at_target - best))
    tl.store(lse + row, tl.log(total) + best)


@triton.jit
def row_gradients(logits, targets, losses, lse, dy, out, rows, COLUMNS: tl.constexpr, BLOCK: tl.constexpr):
    """out (N, COLUMNS) = (softmax(logits) - one-hot(targets)) · dy / rows, dy (). One program: a row and BLOCK columns.

    At the target, softmax - 1 = exp(-loss) - 1 is computed by its series for small losses, where the difference would cancel.
    """
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < COLUMNS
    x = tl.load(logits + row * COLUMNS + column, mask=inside, other=-float("inf")).to(tl.float32)
    loss = tl.load(losses + row)
    series = -loss * (1.0 - loss * (0.5 - loss * (1.0 / 6.0)))
    at_target = tl.where(loss < 0.01, series, tl.exp(-loss) - 1.0)
    p = tl.exp(x - tl.load(lse + row))
    gradient = tl.where(column == tl.load(targets + row), at_target, p) * (tl.load(dy) / rows)
    tl.store(out + row * COLUMNS + column, gradient.to(out.dtype.element_ty), mask=inside)
