"""Causal attention with a window, from blocks along the diagonal: w queries see keys of their own block and the one before, 2w.

The scores of T queries are 2 T w numbers per head. Where these are more than `KEPT`, a CPU computes them a few blocks at a time
and, instead of keeping them for the gradient, computes them again: memory is then O(T d), for 10 to 20 % more time. Outputs and
gradients are the same to the last bit either way.

Sources: Beltagy et al., "Longformer", 2020 (blocks); Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.nn.flex import transformed
from erlangen.nn.naive import HIDDEN, hide, naive_attention
from erlangen.nn.positions import alibi_bias

KEPT = 2**21  # scores, up to which all are computed at once and kept
CHUNK = 2**19  # scores that are computed at a time beyond, 2 MiB in float32


def local_attention(q: Tensor, k: Tensor, v: Tensor, window: int, slopes: Tensor | None = None, p: float = 0.0) -> Tensor:
    """Like `naive_attention` with a causal window. q, k, v (B, H, T, d) -> (B, H, T, d).

    p: dropout of the weights. With dropout, on a GPU, in a compiled graph and under the transforms of torch.func, all scores are
    computed at once and kept for the gradient.
    """
    t, w = q.shape[2], min(window, q.shape[2])
    block = q.shape[0] * q.shape[1] * 2 * w * w  # scores of a block
    few = -(-t // w) * block <= KEPT
    if few or p > 0 or q.device.type != "cpu" or torch.compiler.is_compiling() or transformed():
        return _whole(q, k, v, w, slopes, p)
    step = max(1, CHUNK // block)
    y: Tensor = _Recomputed.apply(q, k, v, w, slopes, step)  # type: ignore[no-untyped-call]
    return y


def _whole(q: Tensor, k: Tensor, v: Tensor, w: int, slopes: Tensor | None, p: float = 0.0) -> Tensor:
    """All blocks at once."""
    return _blocks(*_padded(q, k, v, w, w), w, slopes, True, p)[:, :, : q.shape[2]]


def _padded(q: Tensor, k: Tensor, v: Tensor, w: int, before: int) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v with empty tokens after them up to whole blocks, and k and v with so many before them."""
    after = -q.shape[2] % w
    return F.pad(q, (0, 0, 0, after)), F.pad(k, (0, 0, before, after)), F.pad(v, (0, 0, before, after))


def _blocks(q: Tensor, k: Tensor, v: Tensor, w: int, slopes: Tensor | None, first: bool, p: float = 0.0) -> Tensor:
    """q (B, H, n w, d), and k and v (B, H, (n + 1) w, d) from the block before on -> (B, H, n w, d).

    first: whether there is no block before, so that what stands in its place is hidden.
    """
    q, k, v = (torch.unflatten(x, 2, (-1, w)) for x in (q, k, v))  # (B, H, n or n + 1, w, d)
    k, v = (torch.cat([x[:, :, :-1], x[:, :, 1:]], 3) for x in (k, v))  # (B, H, n, 2w, d)
    distance = torch.arange(w, 2 * w, device=q.device)[:, None] - torch.arange(2 * w, device=q.device)  # (w, 2w)
    bias = hide(distance, w).expand(q.shape[2], w, 2 * w)
    if first:
        bias = bias.clone()
        bias[0, :, :w].fill_(HIDDEN)
    if slopes is not None:
        bias = bias + alibi_bias(slopes, distance)[:, None]  # (H, n, w, 2w)
    return naive_attention(q, k, v, bias, p)[0].flatten(2, 3)


class _Recomputed(torch.autograd.Function):
    """`step` blocks at a time; the gradient computes their scores again."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, w: int, slopes: Tensor | None, step: int) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.options = w, slopes, step
        ctx.autocast = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        parts = [_blocks(*part, w, slopes, start == 0) for start, part in _parts(q, k, v, w, step)]
        return torch.cat(parts, 2)[:, :, : q.shape[2]]

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        (q, k, v), (w, slopes, step), (enabled, dtype) = ctx.saved_tensors, ctx.options, ctx.autocast
        if torch.is_grad_enabled():  # the gradient is to be differentiated
            with torch.autocast("cpu", dtype, enabled):
                y = _whole(q, k, v, w, slopes)
            needed = ctx.needs_input_grad[:3]
            given = iter(
                torch.autograd.grad(y, [x for x, one in zip((q, k, v), needed, strict=True) if one], dy, create_graph=True)
            )
            return *(next(given) if one else None for one in needed), None, None, None
        gradients = [torch.zeros_like(x) for x in (q, k, v)]
        for start, part in _parts(q, k, v, w, step):
            end = min(start + step * w, q.shape[2])
            first, n = max(start - w, 0), end - start
            with torch.enable_grad(), torch.autocast("cpu", dtype, enabled):
                one, two, three = (x.detach().requires_grad_() for x in part)
                y = _blocks(one, two, three, w, slopes, start == 0)[:, :, :n]
            dq, dk, dv = torch.autograd.grad(y, (one, two, three), dy[:, :, start:end])
            gradients[0][:, :, start:end] = dq[:, :, :n]
            for whole, more in zip(gradients[1:], (dk, dv), strict=True):  # neighbors share a block of keys
                whole[:, :, first:end] += more[:, :, w + first - start :][:, :, : end - first]
        return *gradients, None, None, None


def _parts(q: Tensor, k: Tensor, v: Tensor, w: int, step: int) -> Iterator[tuple[int, tuple[Tensor, Tensor, Tensor]]]:
    """The first query of each `step` blocks, and what `_blocks` needs of them."""
    for start in range(0, q.shape[2], step * w):
        end, first = start + step * w, max(start - w, 0)
        yield start, _padded(q[:, :, start:end], k[:, :, first:end], v[:, :, first:end], w, w + first - start)
