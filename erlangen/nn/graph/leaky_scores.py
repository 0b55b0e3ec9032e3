"""The scores of GAT and GATv2 on the edges, without a vector per edge: on a GPU by kernels, on a CPU some edges at a time.

    s_uv = Σ_c a_c z'_c,   z' = LeakyReLU(z),   z = l_u + r_v + e_uv                                        per head

With g the gradient of the scores and P = g · LeakyReLU'(z), in (E, heads, C):

    ∂l_u = a · Σ_v P_uv      ∂r_v = a · Σ_u P_uv      ∂e = a · P      ∂a = Σ P · z = Σ_u l_u · Σ_v P + Σ_v r_v · Σ_u P + Σ P · e

Kernels compute the sums of P over the edges of a node without P itself; a CPU stores a · P, but z only for as many edges as stay
in its cache. Derivatives of higher order, and of forward mode, use both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.nn.graph import gpu_scores
from erlangen.nn.graph.csr import CSR, apply, first_order, of_sources, of_targets, product

AT_ONCE = 2048  # edges on a CPU
Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, None, None]


class _LeakyScores(torch.autograd.Function):
    """left (cols, heads, C), right (rows, heads, C), att (heads, C) or None, given (E, heads, C) or None -> scores (E, heads)."""

    @staticmethod
    def forward(left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, csr: CSR, slope: float) -> Tensor:
        if not len(csr.col) or not left.shape[1:].numel():
            return left.new_zeros(len(csr.col), left.shape[1])
        if (scores := gpu_scores.leaky_scores(csr, left, right, att, given, slope)) is not None:
            return scores
        scores = left.new_empty(len(csr.col), left.shape[1])
        for some, z in pieces(csr, left, right, given):
            y = F.leaky_relu(z, slope, inplace=True)
            torch.sum(y if att is None else y.mul_(att), -1, out=scores[some])
        return scores

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.csr, ctx.slope = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Gradients:
        left, right, att, given = ctx.saved_tensors
        inputs = (ctx.csr, left, right, att, given, grad, ctx.slope, ctx.needs_input_grad[2])
        if not (first_order() and len(ctx.csr.col) and left.shape[1:].numel()):
            return plain_gradients(*inputs)
        return fused_gradients(*inputs) or gradients_in_pieces(*inputs)

    @staticmethod
    def jvp(
        ctx: Any, d_left: Tensor | None, d_right: Tensor | None, d_att: Tensor | None, d_given: Tensor | None, *_: None
    ) -> Tensor:
        (left, right, att, given), csr = ctx.saved_tensors, ctx.csr
        z = sum_of_ends(csr, left, right, given)
        changes = [
            None if d_left is None else of_sources(csr, d_left),
            None if d_right is None else of_targets(csr, d_right),
            d_given,
        ]
        dz = sum((change for change in changes if change is not None), torch.zeros_like(z))
        dy = dz * slopes(z, ctx.slope)
        out = (dy if att is None else dy * att).sum(-1)
        return out if d_att is None else out + (F.leaky_relu(z, ctx.slope) * d_att).sum(-1)


def leaky_scores(csr: CSR, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, slope: float) -> Tensor:
    """The scores (E, heads), in the order of the CSR; differentiable in all tensors, to any order.

    left (N_src, heads, C) is l, right (N_dst, heads, C) r, att (heads, C) a, or None for 1, and given (E, heads, C) e, in the
    order of the CSR, or None for 0. Half-precision numbers are added in float32.
    """
    dtype = left.dtype
    for other in (right, att, given):
        dtype = dtype if other is None else torch.promote_types(dtype, other.dtype)
    exact = torch.promote_types(dtype, torch.float32)
    inputs = [None if one is None else one.to(exact) for one in (left, right, att, given)]
    return apply(_LeakyScores, *inputs, csr, slope).to(dtype)


def sum_of_ends(csr: CSR, left: Tensor, right: Tensor, given: Tensor | None) -> Tensor:
    """z (E, heads, C)."""
    z = of_sources(csr, left) + of_targets(csr, right)
    return z if given is None else z + given


def pieces(csr: CSR, left: Tensor, right: Tensor, given: Tensor | None) -> Iterator[tuple[slice, Tensor]]:
    """z of AT_ONCE edges after the other, (edges, heads, C), which may be overwritten."""
    count = AT_ONCE if left.device.type == "cpu" else len(csr.col)
    for start in range(0, len(csr.col), count):
        some = slice(start, start + count)
        z = left.index_select(0, csr.col[some]).add_(right.index_select(0, csr.row[some]))
        yield some, z if given is None else z.add_(given[some])


def slopes(z: Tensor, slope: float) -> Tensor:
    """LeakyReLU'(z), which has no derivative of its own."""
    return torch.where(z.detach() > 0, z.new_ones(()), slope)  # two numbers would give float32


def fused_gradients(
    csr: CSR, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, grad: Tensor, slope: float,
    needs_att: bool,
) -> Gradients | None:  # fmt: skip
    """The gradients by kernels, or None where they do not run."""
    of_left = gpu_scores.leaky_sums(csr.transpose, left, right, given, grad, slope, ordered=True)
    of_right = gpu_scores.leaky_sums(csr, right, left, given, grad, slope, ordered=False)
    of_edges = None if given is None else gpu_scores.leaky_slopes(csr, left, right, given, grad, slope)
    if of_left is None or of_right is None or (given is not None and of_edges is None):
        return None
    if att is None:
        return of_left, of_right, None, of_edges, None, None
    d_att = (left * of_left).sum(0).add_((right * of_right).sum(0)) if needs_att else None
    if d_att is not None and given is not None and of_edges is not None:
        d_att.add_((of_edges * given).sum(0))
    return of_left.mul_(att), of_right.mul_(att), d_att, None if of_edges is None else of_edges.mul_(att), None, None


def gradients_in_pieces(
    csr: CSR, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, grad: Tensor, slope: float,
    needs_att: bool,
) -> Gradients:  # fmt: skip
    """The gradients, some edges at a time."""
    scaled = left.new_empty(len(csr.col), *left.shape[1:])  # a · P
    d_att = torch.zeros_like(att) if att is not None and needs_att else None
    for some, z in pieces(csr, left, right, given):
        part = torch.ops.aten.leaky_relu_backward(grad[some][..., None].expand_as(z), z, slope, False)  # P
        if d_att is not None:
            d_att += z.mul_(part).sum(0)
        torch.mul(part, 1 if att is None else att, out=scaled[some])
    d_left, d_right = (product(sums, scaled.flatten(1)) for sums in (csr.col_sums, csr.row_sums))
    return d_left.view_as(left), d_right.view_as(right), d_att, None if given is None else scaled, None, None


def plain_gradients(
    csr: CSR, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, grad: Tensor, slope: float,
    needs_att: bool,
) -> Gradients:  # fmt: skip
    """The gradients by differentiable functions with a vector per edge."""
    z = sum_of_ends(csr, left, right, given)
    part = grad[..., None] * slopes(z, slope)  # P
    scaled = part if att is None else part * att
    d_left, d_right = (product(sums, scaled.flatten(1)) for sums in (csr.col_sums, csr.row_sums))
    d_att = (part * z).sum(0) if att is not None and needs_att else None
    return d_left.view_as(left), d_right.view_as(right), d_att, None if given is None else scaled, None, None
