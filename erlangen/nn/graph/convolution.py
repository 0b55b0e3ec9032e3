"""The graph convolution, in three forms that share one set of weights.

    h'_v = σ(W · 1/|N(v)| Σ_{u → v} w_uv h_u + B h_v)          in matrices, rows as nodes:  H' = σ(D⁻¹ A H Wᵀ + H Bᵀ)

A[target, source] holds the edge weights (1 by default); D counts the incoming edges, whatever their weights. This matches PyG's
`SAGEConv` without weights and its `GraphConv(aggr="mean")` with weights. Rows of H are nodes, so W and B appear transposed.
Source: Hamilton, Ying & Leskovec, "Inductive Representation Learning on Large Graphs", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from erlangen.nn.graph.checks import check_edge_weight
from erlangen.nn.graph.csr import CSR, edge_dot, product, structure
from erlangen.nn.graph.features import check_features
from erlangen.nn.graph.message_passing import MessagePassing, Nodes, both_ends, check_graph

Form = Literal["index", "message", "matrix"]


class _LazyGlorot(nn.LazyLinear):
    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_features:
            nn.init.xavier_uniform_(self.weight)
            if self.bias is not None:
                nn.init.zeros_(self.bias)


def linear(in_channels: int, out_channels: int, bias: bool, glorot: bool = False) -> nn.Linear:
    """A linear layer. If in_channels is -1, it takes its input width from the first input.

    Initialized as torch initializes linear layers, or with `glorot` uniformly within ±√(6 / (in + out)), with bias 0.
    """
    if in_channels < 0:
        return (_LazyGlorot if glorot else nn.LazyLinear)(out_channels, bias)
    layer = nn.Linear(in_channels, out_channels, bias)
    if glorot:
        nn.init.xavier_uniform_(layer.weight)
        if bias:
            nn.init.zeros_(layer.bias)
    return layer


def widths(in_channels: int | tuple[int, int]) -> tuple[int, int]:
    """The input widths of sources and targets."""
    return in_channels if isinstance(in_channels, tuple) else (in_channels, in_channels)


class _Convolution(torch.autograd.Function):
    """D⁻¹ A (H Wᵀ) + R Bᵀ + bias; R is H if `root` is None, and B and the bias are optional. A multiplies the narrower rows.

    With S = Aᵀ D⁻¹ ∂Y:  ∂W = Sᵀ H,  ∂B = ∂Yᵀ R,  ∂H = S W and ∂R = ∂Y B, which are added if R is H. It is a single function
    because nothing else needs the intermediate results: it works in place (a tenth of the time, F = 64) and saves only inputs.
    """

    @staticmethod
    def forward(
        h: Tensor, root: Tensor | None, w: Tensor, bias: Tensor | None, b: Tensor | None, entries: Tensor | None, csr: CSR
    ) -> Tensor:
        exact = torch.promote_types(h.dtype, torch.float32)
        out = product(csr, (h @ w.T).to(exact), entries).div_(_divisor(csr)).to(h.dtype)
        out = out if bias is None else out.add_(bias)
        return out if b is None else out.addmm_(h if root is None else root, b.T)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        h, root, w, _, b, entries, ctx.csr = inputs
        ctx.save_for_backward(h, root, w, b, entries)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (h, root, w, b, entries), csr = ctx.saved_tensors, ctx.csr
        needs_h, needs_root, needs_w, needs_bias, needs_b, needs_entries, _ = ctx.needs_input_grad
        grad_h = grad_root = grad_w = grad_b = grad_entries = None
        shared = grad.to(torch.promote_types(h.dtype, torch.float32)) / _divisor(csr)  # D⁻¹ ∂Y
        if needs_h or needs_w:
            back = csr.transpose
            spread = product(back, shared, None if entries is None else entries.index_select(0, back.order)).to(h.dtype)  # S
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
        return grad_h, grad_root, grad_w, grad.sum(0) if needs_bias else None, grad_b, grad_entries, None


def _divisor(csr: CSR) -> Tensor:
    """The diagonal of D, (N_dst, 1), with 1 for nodes without incoming edges."""
    return csr.degree.clamp(min=1)[:, None]


def _plain(layer: nn.Module) -> bool:
    """Whether the layer's weights may be used without calling it: its input width is known, and it has no hooks."""
    return type(layer) is nn.Linear and not (layer._forward_pre_hooks or layer._forward_hooks or layer._backward_hooks)


class GraphConvolution(MessagePassing):
    """h' = σ(W · mean + B · h). W is `lin_rel`, which has the bias; B is `lin_root`; σ is `activation`, by default none.

    in_channels: width of the input, -1 to take it from the first input, or a pair for (x_src, x_dst).
    root_weight: whether there is a B; without it a node sees itself only through its neighbors.
    form: "matrix" uses sparse products without a row per edge and is the fastest. "index" gathers and adds; torch.compile traces
    it in place of "matrix", as a whole (`fullgraph=True`). "message" calls `message` and `update`. All give equal numbers.
    x (N, in) -> (N, out), or (x_src, x_dst) -> (N_dst, out); edge_index (2, E); edge_weight (E,) or None. The mean is 0 without
    neighbors. Raises ValueError for input that does not fit.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        *,
        form: Form = "matrix",
        bias: bool = True,
        root_weight: bool = True,
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__("mean")
        if form not in get_args(Form):
            raise ValueError(f"GraphConvolution: form {form!r} is unknown: choose one of {', '.join(get_args(Form))}")
        self.form: Form = form
        self.activation = activation
        self.lin_rel = linear(widths(in_channels)[0], out_channels, bias)
        self.lin_root = linear(widths(in_channels)[1], out_channels, bias=False) if root_weight else None

    def message(self, source: Tensor, target: Tensor, edge: Tensor | None) -> Tensor:
        return source if edge is None else edge[:, None] * source

    def update(self, aggregated: Tensor, target: Tensor) -> Tensor:
        near = self.lin_rel(aggregated)
        return self._activated(near if self.lin_root is None else near + self.lin_root(target))

    def forward(self, x: Nodes, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        if edge_weight is not None:
            check_edge_weight(edge_weight, edge_index.shape[-1])
        if self.form == "message":
            return self.propagate(x, edge_index, edge_weight)
        if self.form == "index" or torch.compiler.is_compiling():
            return self._index(x, edge_index, edge_weight)
        return self._matrix(x, edge_index, edge_weight)

    def _index(self, x: Nodes, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        check_graph(x, edge_index)
        h, root = both_ends(x)
        source, target = edge_index
        rows = h[source] if edge_weight is None else edge_weight[:, None] * h[source]  # (E, in)
        exact = rows.to(torch.promote_types(rows.dtype, torch.float32))
        total = exact.new_zeros(len(root), h.shape[1]).index_add(0, target, exact)
        degree = exact.new_zeros(len(root)).index_add(0, target, torch.ones_like(target, dtype=exact.dtype))
        mean = (total / degree.clamp(min=1)[:, None]).to(rows.dtype)
        return self.update(mean, root)

    def _matrix(self, x: Nodes, edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
        h, root = both_ends(x)
        check_features(h)
        if root is not h:
            check_features(root, "x of the targets")
        csr = structure(edge_index, len(h), len(root))
        exact = torch.promote_types(h.dtype, torch.float32)
        entries = None if edge_weight is None else edge_weight.to(exact).index_select(0, csr.order)
        w, b = self.lin_rel, self.lin_root
        narrows = _plain(w) and w.out_features <= w.in_features
        if narrows and (b is None or _plain(b)) and not torch.is_autocast_enabled(h.device.type):
            inputs = (h, None if root is h else root, w.weight, w.bias, None if b is None else b.weight, entries, csr)
            return self._activated(cast(Tensor, _Convolution.apply(*inputs)))  # type: ignore[no-untyped-call]
        mean = product(csr, h.to(exact), entries) / _divisor(csr)
        return self.update(mean.to(h.dtype), root)

    def _activated(self, h: Tensor) -> Tensor:
        return h if self.activation is None else self.activation(h)
