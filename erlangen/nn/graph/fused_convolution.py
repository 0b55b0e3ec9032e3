"""W · (mean or sum over the neighbors) + B · (the node itself), as one function or, under torch.compile, of plain operations."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.graph import gpu_sums, launch
from erlangen.nn.graph.csr import (
    CSR,
    apply,
    edge_dot,
    first_order,
    neighbor_sum,
    product,
    structure,
    sum_rows,
    transposed_product,
)
from erlangen.nn.graph.linear import plain


class _Convolution(torch.autograd.Function):
    """D⁻¹ A (H Wᵀ) + R Bᵀ + bias, without D⁻¹ for sums; R is H if `root` is None, and B and the bias are optional.

    With S = Aᵀ D⁻¹ ∂Y:  ∂W = Sᵀ H,  ∂B = ∂Yᵀ R,  ∂H = S W and ∂R = ∂Y B, which are added if R is H. It is a single function
    because nothing else needs the intermediate results: it works in place (a tenth of the time, F = 64) and saves only inputs.
    """

    @staticmethod
    def forward(
        h: Tensor,
        root: Tensor | None,
        w: Tensor,
        bias: Tensor | None,
        b: Tensor | None,
        entries: Tensor | None,
        csr: CSR,
        mean: bool,
    ) -> Tensor:
        if (out := on_gpu(h, root, w, bias, b, entries, csr, mean)) is not None:
            return out
        exact = torch.promote_types(h.dtype, torch.float32)
        out = sum_rows(csr, (h @ w.T).to(exact), entries)
        out = (out.div_(csr.divisor) if mean else out).to(h.dtype)
        out = out if bias is None else out.add_(bias)
        return out if b is None else out.addmm_(h if root is None else root, b.T)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        h, root, w, _, b, entries, ctx.csr, ctx.mean = inputs
        ctx.save_for_backward(h, root, w, b, entries)
        ctx.save_for_forward(h, root, w, b, entries)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (h, root, w, b, entries), csr = ctx.saved_tensors, ctx.csr
        needs_h, needs_root, needs_w, needs_bias, needs_b, needs_entries, *_ = ctx.needs_input_grad
        grad_h = grad_root = grad_w = grad_b = grad_entries = None
        spread = mean_spread(csr, grad) if ctx.mean and entries is None else None  # S
        if spread is None:
            shared = grad.to(torch.promote_types(h.dtype, torch.float32))
            shared = shared / csr.divisor if ctx.mean else shared  # D⁻¹ ∂Y
        if needs_h or needs_w:
            spread = transposed_product(csr, shared, entries).to(h.dtype) if spread is None else spread
            grad_h = spread @ w if needs_h else None
            grad_w = spread.T @ h if needs_w else None
        if needs_entries:
            grad_entries = edge_dot(csr, shared, (h @ w.T).to(shared.dtype))
        if needs_b:
            grad_b = grad.T @ (h if root is None else root)
        if needs_root and b is not None:
            grad_root = grad @ b
        if grad_h is not None and root is None and b is not None:
            grad_h.addmm_(grad, b)
        return grad_h, grad_root, grad_w, grad.sum(0) if needs_bias else None, grad_b, grad_entries, None, None

    @staticmethod
    def jvp(
        ctx: Any, d_h: Tensor, d_root: Tensor, d_w: Tensor, d_bias: Tensor, d_b: Tensor, d_entries: Tensor, *_: None
    ) -> Tensor:
        """The sum of what the change of each input changes: the function is linear in each of them."""
        h, root, w, b, entries = ctx.saved_tensors
        exact = torch.promote_types(h.dtype, torch.float32)
        total = torch.zeros(ctx.csr.rows, len(w), dtype=exact, device=h.device)
        for changed, left, right, weight in ((d_h, d_h, w, entries), (d_w, h, d_w, entries), (d_entries, h, w, d_entries)):
            if changed is not None:
                total = total + product(ctx.csr, (left @ right.T).to(exact), weight)
        out = (total / ctx.csr.divisor if ctx.mean else total).to(h.dtype)
        own, d_own = (h, d_h) if root is None else (root, d_root)
        for changed, left, right in ((d_own, d_own, b), (d_b, own, d_b)):
            if changed is not None and b is not None:
                out = out + left @ right.T
        return out if d_bias is None else out + d_bias


def on_gpu(
    h: Tensor, root: Tensor | None, w: Tensor, bias: Tensor | None, b: Tensor | None, entries: Tensor | None, csr: CSR, mean: bool
) -> Tensor | None:  # fmt: skip
    """`_Convolution.forward` with as few kernels as there can be, whose start takes longest on a small graph; None elsewhere."""
    if not launch.fits(h) or not len(csr.col) or not h.numel() or not w.numel():
        return None
    own = None if b is None else F.linear(h if root is None else root, b, bias)
    out = gpu_sums.row_sums(csr, h @ w.T, entries, mean=mean, onto=own)
    return out if out is None or bias is None or own is not None else out.add_(bias)


def mean_spread(csr: CSR, grad: Tensor) -> Tensor | None:
    """Aᵀ D⁻¹ ∂Y by one kernel, which divides as it gathers; None where it does not run or its derivative is wanted."""
    if not launch.fits(grad) or not first_order() or not len(csr.col) or not grad.numel():
        return None
    return gpu_sums.divided_sums(csr.transpose, grad, csr.divisor)


def convolve(
    h: Tensor,
    root: Tensor | None,
    edge_index: Tensor,
    num_targets: int,
    near: nn.Linear,
    own: nn.Linear | None,
    edge_weight: Tensor | None = None,
    mean: bool = True,
) -> Tensor:
    """near(Σ_{u → v} w_uv h_u) + own(root_v), with `mean` divided by the number of edges that arrive at v, (num_targets, out).

    h (N_src, F), root (num_targets, F') or None, or (B, ...) of both for many graphs with the same edges; edge_index (2, E);
    edge_weight (E,) or None. Sums are taken in float32 at least, and of the narrower rows: before `near` or after it.
    """
    exact = torch.promote_types(h.dtype, torch.float32)
    if h.ndim == 3:
        rows = h.movedim(0, 1).flatten(1)  # (N_src, B·F)
        total = neighbor_sum(rows.to(exact), edge_index, num_targets, edge_weight).view(num_targets, *h.shape[::2]).movedim(1, 0)
        if mean and torch.compiler.is_compiling():
            total = total / torch.bincount(edge_index[1], minlength=num_targets).clamp(min=1)[:, None]
        elif mean:
            total = total / structure(edge_index, h.shape[1], num_targets).divisor
        return joined(near, total.to(h.dtype), own, root)
    if torch.compiler.is_compiling():
        total, degree = gathered_sum(h, edge_index, num_targets, edge_weight)
        return joined(near, (total / degree if mean else total).to(h.dtype), own, root)
    csr = structure(edge_index, len(h), num_targets)
    entries = None if edge_weight is None else edge_weight.to(exact).index_select(0, csr.order)
    own = None if root is None else own
    narrows = plain(near) and near.out_features <= near.in_features
    if narrows and (own is None or plain(own)) and not torch.is_autocast_enabled(h.device.type):
        inputs = (h, None if root is h else root, near.weight, near.bias, None if own is None else own.weight, entries, csr, mean)
        return apply(_Convolution, *inputs)
    total = product(csr, h.to(exact), entries)
    return joined(near, (total / csr.divisor if mean else total).to(h.dtype), own, root)


def convolved(h: Tensor, weight: Tensor, bias: Tensor | None, csr: CSR, entries: Tensor | None) -> Tensor:
    """A H Wᵀ + bias (rows, out): h (cols, F), weight (out, F), bias (out,) or None, and the entries of A (E,) in its order."""
    return apply(_Convolution, h, None, weight, bias, None, entries, csr, False)


def joined(near: nn.Linear, aggregated: Tensor, own: nn.Linear | None, root: Tensor | None) -> Tensor:
    """near(aggregated) + own(root), as far as there is a root."""
    out: Tensor = near(aggregated)
    return out if own is None or root is None else out + own(root)


def gathered_sum(h: Tensor, edge_index: Tensor, num_targets: int, edge_weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """The sum over the neighbors, (num_targets, F), and their number, (num_targets, 1), 1 where there are none.

    Plain operations with a row per edge, in float32 at least: the compiler fuses them; a CSR structure cannot be traced.
    """
    source, target = edge_index
    rows = h[source] if edge_weight is None else edge_weight[:, None] * h[source]  # (E, F)
    exact = rows.to(torch.promote_types(rows.dtype, torch.float32))
    total = exact.new_zeros(num_targets, h.shape[1]).index_add(0, target, exact)
    degree = exact.new_zeros(num_targets).index_add(0, target, torch.ones_like(target, dtype=exact.dtype))
    return total, degree.clamp(min=1)[:, None]
