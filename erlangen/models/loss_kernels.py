# mypy: ignore-errors
# ruff: noqa: N803
"""A Triton kernel for the cross-entropy of logits in bfloat16 and its gradient, which nothing in float32 is stored for.

`erlangen.models.streamed_loss` calls it; its plain twin is `erlangen.models.head_loss.LeanCrossEntropy`. Source: Milakov &
Gimelshein, "Online normalizer calculation for softmax", 2018.
"""

from __future__ import annotations

from importlib import import_module

triton, tl = import_module("triton"), import_module("triton.language")  # only CUDA builds of torch bring it


@triton.jit
def row_losses(
    logits, targets, losses, rows, vocabulary,
    COLUMNS: tl.constexpr, LANES: tl.constexpr, NUMBERS: tl.constexpr, GRADIENT: tl.constexpr,
):  # fmt: skip
    """losses (N,) = log Σ exp(logits) - logit of the target, float32; logits (N, COLUMNS). One program: a row.

    Columns from `vocabulary` on do not count. A target outside [0, vocabulary) has the loss NaN.
    GRADIENT: replace the row by (softmax - one-hot) / rows, 0 in columns that do not count. The row is then read again, from the
    GPU's cache. At the target, softmax - 1 = exp(-loss) - 1 is computed by its series for small losses, where the difference
    would cancel.
    Every lane has NUMBERS neighbors at a time and reads them at once, which a mask that ends among them would prevent: so no load
    is masked by `vocabulary`.
    """
    row = tl.program_id(0).to(tl.int64)  # N · COLUMNS may exceed 2^31
    at = logits + row * COLUMNS
    # before the first barrier: the row is overwritten behind the last
    target = tl.load(targets + row)
    valid = (target >= 0) & (target < vocabulary)
    at_target = tl.load(at + target, mask=valid, other=float("nan")).to(tl.float32)
    place = tl.arange(0, LANES)[:, None] * NUMBERS + tl.arange(0, NUMBERS)[None, :]
    best = tl.full((LANES,), -3e38, tl.float32)  # of each lane, which waits for the others once; -inf less -inf is NaN
    total = tl.zeros((LANES,), tl.float32)
    for start in range(0, COLUMNS, LANES * NUMBERS):
        column = start + place
        x = tl.load(at + column, mask=column < COLUMNS, other=-float("inf")).to(tl.float32)
        x = tl.where(column < vocabulary, x, -float("inf"))
        above = tl.maximum(best, tl.max(x, 1))
        total = total * tl.exp(best - above) + tl.sum(tl.exp(x - above[:, None]), 1)
        best = above
    highest = tl.max(best, 0)
    total = tl.sum(total * tl.exp(best - highest), 0)
    loss = tl.log(total) - (at_target - highest)
    tl.store(losses + row, loss)
    if GRADIENT:
        lse = tl.log(total) + highest
        series = -loss * (1.0 - loss * (0.5 - loss * (1.0 / 6.0)))
        share = 1.0 / rows
        sure = tl.where(loss < 0.01, series, tl.exp(-loss) - 1.0)
        for start in range(0, COLUMNS, LANES * NUMBERS):
            column = start + place
            x = tl.load(at + column, mask=column < COLUMNS, other=-float("inf")).to(tl.float32)
            x = tl.where(column < vocabulary, x, -float("inf"))
            gradient = tl.where(column == target, sure, tl.exp(x - lse)) * share
            tl.store(at + column, gradient.to(logits.dtype.element_ty), mask=column < COLUMNS)
