"""The graph convolution, in three forms that share one set of weights.

    h'_v = σ(W · 1/|N(v)| Σ_{u → v} w_uv h_u + B h_v)          in matrices, rows as nodes:  H' = σ(D⁻¹ A H Wᵀ + H Bᵀ)

A[target, source] holds the edge weights (1 without), D counts the edges that arrive, whatever their weights: as PyG's `SAGEConv`
without weights and its `GraphConv(aggr="mean")` with them. Rows of H are nodes: W and B, which act on columns, come transposed.
Source: Hamilton, Ying & Leskovec, "Inductive Representation Learning on Large Graphs", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from erlangen.nn.graph.algebra import check_edge_weight, check_features
from erlangen.nn.graph.csr import neighbor_sum, structure
from erlangen.nn.graph.message_passing import MessagePassing, Nodes, both_ends, check_graph

Form = Literal["index", "message", "matrix"]


class _LazyGlorot(nn.LazyLinear):
    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_features:
            nn.init.xavier_uniform_(self.weight)
            if self.bias is not None:
                nn.init.zeros_(self.bias)


def linear(in_channels: int, out_channels: int, bias: bool, glorot: bool = False) -> nn.Linear:
    """A linear layer whose input width, where in_channels is -1, is that of the first input it sees.

    Drawn as torch draws linear layers, or with `glorot` uniformly within ±√(6 / (in + out)), bias 0.
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


class GraphConvolution(MessagePassing):
    """h' = σ(W · mean + B · h). W is `lin_rel` and carries the bias, B is `lin_root`; σ is `activation`, none by default.

    in_channels: width of the input, -1 to take it from the first one, or a pair for (x_src, x_dst).
    root_weight: whether there is a B; without it a node sees itself only through its neighbors.
    form: "matrix" runs sparse products and holds no row per edge: the fast one. "index" gathers and adds; torch.compile traces it
    in place of "matrix", whole (`fullgraph=True`). "message" goes through `message` and `update`. All equal, gradients too.
    x (N, in) -> (N, out), or (x_src, x_dst) -> (N_dst, out); edge_index (2, E); edge_weight (E,) or None. No neighbors: mean 0.
    Raises ValueError for input that does not fit.
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
            raise ValueError(f"GraphConvolution: form {form!r}: choose {', '.join(get_args(Form))}")
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
        degree = structure(edge_index, len(h), len(root)).degree.clamp(min=1)[:, None]  # D, (N_dst, 1)

        def mean(rows: Tensor) -> Tensor:  # D⁻¹ A rows
            dtype = rows.dtype if edge_weight is None else torch.promote_types(rows.dtype, edge_weight.dtype)
            exact = rows.to(torch.promote_types(dtype, torch.float32))
            return (neighbor_sum(exact, edge_index, len(root), edge_weight) / degree).to(dtype)

        weight = self.lin_rel.weight
        if not isinstance(self.lin_rel, nn.LazyLinear) and weight.shape[0] < weight.shape[1]:  # the narrower rows travel
            near = mean(h @ weight.T)
            near = near if self.lin_rel.bias is None else near + self.lin_rel.bias
            return self._activated(near if self.lin_root is None else near + self.lin_root(root))
        return self.update(mean(h), root)

    def _activated(self, h: Tensor) -> Tensor:
        return h if self.activation is None else self.activation(h)
