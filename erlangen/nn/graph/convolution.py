"""The graph convolution, in three forms that share one set of weights.

    h'_v = σ(W · 1/|N(v)| Σ_{u → v} w_uv h_u + B h_v)          in matrices, rows as nodes:  H' = σ(D⁻¹ A H Wᵀ + H Bᵀ)

A[target, source] holds the edge weights (1 by default); D counts the incoming edges, whatever their weights. This is PyG's
`SAGEConv` without weights and its `GraphConv(aggr="mean")` with weights; layers of these names and arguments are
`erlangen.nn.graph.SAGEConv` and `GraphConv`. Rows of H are nodes, so W and B appear transposed.
Source: Hamilton, Ying & Leskovec, "Inductive Representation Learning on Large Graphs", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from erlangen.nn.graph.checks import check_edge_index, check_edge_weight
from erlangen.nn.graph.fused_convolution import convolve, gathered_sum, joined
from erlangen.nn.graph.inputs import Nodes, both_ends, read_edges
from erlangen.nn.graph.linear import linear, widths
from erlangen.nn.graph.message_passing import MessagePassing, overrides

Form = Literal["index", "message", "matrix"]


class GraphConvolution(MessagePassing):
    """h' = σ(W · mean + B · h). W is `lin_neighbors`, which has the bias; B is `lin_self`; σ is `activation`, by default none.

    in_channels: width of the input, -1 to take it from the first input, or a pair for (x_src, x_dst).
    root_weight: whether there is a B; without it a node sees itself only through its neighbors.
    form: "matrix" uses sparse products without a row per edge and is the fastest. "index" gathers and adds; torch.compile traces
    it in place of "matrix", as a whole (`fullgraph=True`). "message" calls `message`, `aggregate` and `update`, and so does any
    form where a subclass overrides one of them. All give equal numbers.
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
        self.lin_neighbors = linear(widths(in_channels)[0], out_channels, bias)
        self.lin_self = linear(widths(in_channels)[1], out_channels, bias=False) if root_weight else None

    def message(self, source: Tensor, target: Tensor, edge: Tensor | None) -> Tensor:
        return source if edge is None else edge[:, None] * source

    def update(self, aggregated: Tensor, target: Tensor | None) -> Tensor:
        return self._activated(joined(self.lin_neighbors, aggregated, self.lin_self, target))

    def forward(self, x: Nodes, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        edges = read_edges(x, edge_index)
        h, root = both_ends(x)
        weight = edges.value if edge_weight is None else edge_weight
        if weight is not None:
            check_edge_weight(weight, edges.index.shape[1], edges.index)
        if self.form == "message" or overrides(self, GraphConvolution, "message", "aggregate"):
            return self.propagate(x, edge_index, weight)
        if self.form == "index" or torch.compiler.is_compiling() or overrides(self, GraphConvolution, "update"):
            check_edge_index(edges.index, edges.sources, edges.targets)
            total, degree = gathered_sum(h, edges.index, edges.targets, weight)
            return self.update((total / degree).to(h.dtype), root)
        out = convolve(h, root, edges.index, edges.targets, self.lin_neighbors, self.lin_self, weight)
        return self._activated(out)

    def _activated(self, h: Tensor) -> Tensor:
        return h if self.activation is None else self.activation(h)
