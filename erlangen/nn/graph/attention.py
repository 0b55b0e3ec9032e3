"""Attention over the edges of a graph: what GAT, GATv2 and the Transformer's dot product share.

    y_v = Σ_{u → v} α_uv W h_u,    α_uv = exp(s_uv) / Σ_{k → v} exp(s_kv)            per head

    GAT      s_uv = LeakyReLU(a_src · W h_u + a_dst · W h_v)              ranks neighbors in the same order for every v
    GATv2    s_uv = a · LeakyReLU(W_l h_u + W_r h_v)                      can rank them in different orders
    dot      s_uv = (W_q h_v) · (W_k h_u) / √C

A layer with an `edge_dim` uses features e_uv of the edges: inside the LeakyReLU, GAT adds a_edge · W_e e_uv and GATv2 adds
W_e e_uv; dot uses W_k h_u + W_e e_uv in the score and W h_u + W_e e_uv in the sum.

Sources: Veličković et al., ICLR 2018; Brody, Alon & Yahav, ICLR 2022; Shi et al., "Masked Label Prediction", IJCAI 2021.
Arguments, parameters and their shapes are those of PyG's `GATConv`, `GATv2Conv`, `TransformerConv`: state dicts load across.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from erlangen.nn.dropout import dropout
from erlangen.nn.graph.aggregate import combine
from erlangen.nn.graph.algebra import add_self_loops, self_loops
from erlangen.nn.graph.checks import check_edge_index, check_finite
from erlangen.nn.graph.csr import product, structure
from erlangen.nn.graph.edge_operations import PlainEdges, SortedEdges
from erlangen.nn.graph.inputs import Flow, Nodes, Size, both_ends, read_edges
from erlangen.nn.graph.launch import usable
from erlangen.nn.graph.linear import linear, reset
from erlangen.nn.graph.message_passing import message_factors
from erlangen.nn.graph.remember import remember

Attended = Tensor | tuple[Tensor, tuple[Tensor, Tensor]]  # output, and on request the edges and their attention (E, heads)
Fill = float | Tensor | Literal["mean", "add", "sum", "max", "min", "mul"]


class Listening(NamedTuple):
    """A graph as attention reads it: features of both ends, edges (2, E') with added loops, and features of the edges."""

    source: Tensor
    target: Tensor | None
    edge_index: Tensor
    edges: SortedEdges | PlainEdges
    features: Tensor | None
    size: tuple[int, int]
    sparse: bool


class GraphAttention(nn.Module):
    """The common part of the three layers: reading the graph, self-loops, softmax, dropout and heads."""

    def __init__(
        self, name: str, in_channels: int | tuple[int, int], out_channels: int, heads: int, concat: bool, dropout: float,
        edge_dim: int | None, fill_value: Fill = "mean", flow: Flow = "source_to_target",
    ) -> None:  # fmt: skip
        super().__init__()
        if heads < 1:
            raise ValueError(f"{name}: heads {heads} must be at least 1")
        if edge_dim is not None and edge_dim < 1:
            raise ValueError(f"{name}: edge_dim {edge_dim} must be at least 1, or None without edge features")
        self.in_channels, self.out_channels, self.heads, self.concat = in_channels, out_channels, heads, concat
        self.dropout, self.edge_dim, self.fill_value, self.flow = dropout, edge_dim, fill_value, flow
        self.add_self_loops = self.replace_self_loops = False
        self.width = out_channels * (heads if concat else 1)
        self.glorot = name != "TransformerConv"  # whose weights PyG draws as torch draws those of linear layers
        self.lin_edge: nn.Linear | None = None

    def draw_edge_weights(self) -> None:
        """Give the layer its W_e. Called after all others are drawn, which are then the same for a seed with and without it."""
        if self.edge_dim is not None:
            self.lin_edge = linear(self.edge_dim, self.heads * self.out_channels, bias=False, glorot=self.glorot)

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for part in self.children():
            if isinstance(part, nn.Linear):
                reset(part, self.glorot)
        for name, parameter in self.named_parameters(recurse=False):
            nn.init.zeros_(parameter) if name == "bias" else nn.init.xavier_uniform_(parameter)

    def listen(self, x: Nodes, graph: Tensor, edge_attr: Tensor | None, size: Size | None) -> Listening:
        """Read the graph, and add self-loops as the layer does."""
        read = read_edges(x, graph, size, self.flow)
        source, target = both_ends(x)
        given = self.edge_features(read.value if edge_attr is None and read.sparse else edge_attr, read.index, read.sparse)
        index, features = read.index, given
        if self.add_self_loops:
            replaced, counts = self.replace_self_loops, (read.sources, read.targets)
            index = remember(read.index, ("loops", replaced, *counts), lambda: looped(read.index, *counts, replaced))
            features = None if given is None else self.with_loops(given, read.index, index, counts)
        if torch.compiler.is_compiling():
            edges: SortedEdges | PlainEdges = PlainEdges(index, read.targets)
        else:
            edges = SortedEdges(structure(index, read.sources, read.targets))
        ordered = None if features is None else edges.ordered(features)
        return Listening(source, target, index, edges, ordered, (read.sources, read.targets), read.sparse)

    def edge_features(self, edge_attr: Tensor | None, index: Tensor, sparse: bool) -> Tensor | None:
        """edge_attr as (E, edge_dim); the entries of a sparse adjacency are features only if there is an edge_dim."""
        name, expected = type(self).__name__, (index.shape[1], self.edge_dim)
        if self.edge_dim is None:
            if edge_attr is not None and not sparse:
                raise ValueError(
                    f"{name}: the layer has no edge_dim, but there is an edge_attr: give it an edge_dim, or leave edge_attr out"
                )
            return None
        if edge_attr is None:
            raise ValueError(
                f"{name}: the layer has edge_dim {self.edge_dim}, but there is no edge_attr: pass features {expected}, one row "
                f"per edge"
            )
        features = edge_attr[:, None] if edge_attr.ndim == 1 else edge_attr
        if features.shape != expected:
            raise ValueError(f"edge_attr must have shape {expected}, one row per edge, but has {tuple(edge_attr.shape)}")
        if not features.is_floating_point():
            raise ValueError(f"edge_attr must have a floating-point dtype, not {features.dtype}: convert it with .float()")
        check_finite("edge_attr", features, index)
        return features

    def with_loops(self, features: Tensor, given: Tensor, index: Tensor, counts: tuple[int, int]) -> Tensor:
        """The features of the edges that are kept, then those of the added loops.

        These are `fill_value`, or what it makes of the edges that arrive at the node: 0 where none does, with mul 1.
        """
        if self.replace_self_loops:
            given, kept = remember(given, "without loops", partial(without_loops, given))
            features = features.index_select(0, kept)
        added = index[1, given.shape[1] :]
        if isinstance(self.fill_value, str):
            how = {"add": "sum"}.get(self.fill_value, self.fill_value)
            fill = arriving(features, given, counts, how).index_select(0, added)
        elif isinstance(self.fill_value, Tensor):
            fill = self.fill_value.to(features).expand(len(added), features.shape[1])
        else:
            fill = features.new_full((len(added), features.shape[1]), self.fill_value)
        return torch.cat([features, fill])

    def of_edges(self, features: Tensor | None) -> Tensor | None:
        """W_e e for every edge, (E, heads, C), in the order of the features."""
        return None if features is None or self.lin_edge is None else self.split(self.lin_edge(features))

    def split(self, h: Tensor) -> Tensor:
        return h.view(-1, self.heads, self.out_channels)

    def attend(self, heard: Listening, scores: Tensor, value: Tensor, of_edges: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """scores (E, heads), value (N_src, heads, C) -> output (N_dst, width) and the attention (E, heads) before dropout."""
        attention, factors = heard.edges.softmax(scores), message_factors(self, heard.edge_index)
        weight = dropout(attention, self.dropout, self.training)
        weight = weight if factors is None else weight * heard.edges.ordered(factors)[:, None]
        out = heard.edges.attend(weight, value, of_edges)
        return (out.flatten(1) if self.concat else out.mean(1)), attention

    def answer(self, out: Tensor, attention: Tensor, heard: Listening, return_attention_weights: bool | None) -> Attended:
        """The output, and on request the edges and the attention: of a sparse adjacency, its pattern with the attention in it."""
        if not return_attention_weights:
            return out
        weight = heard.edges.restored(attention)
        if not heard.sparse:
            return out, (heard.edge_index.clone(), weight)
        csr = structure(heard.edge_index, *heard.size)
        shape = (heard.size[1], heard.size[0], self.heads)
        pattern = torch.sparse_csr_tensor(csr.rowptr, csr.col, attention, shape, check_invariants=False)
        return out, (pattern, weight)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, heads={self.heads})"


def looped(edge_index: Tensor, num_sources: int, num_targets: int, replaced: bool) -> Tensor:
    """edge_index with a loop at each node that has none, or, `replaced`, without its loops and with one at each node."""
    check_edge_index(edge_index, num_sources, num_targets)
    given = edge_index[:, ~self_loops(edge_index)] if replaced else edge_index
    return add_self_loops(given, min(num_sources, num_targets))


def without_loops(edge_index: Tensor) -> tuple[Tensor, Tensor]:
    """The edges that are no self-loops, (2, E'), and their positions, (E',)."""
    kept = (~self_loops(edge_index)).nonzero()[:, 0]
    return edge_index.index_select(1, kept), kept


def arriving(features: Tensor, edge_index: Tensor, counts: tuple[int, int], how: str) -> Tensor:
    """What `aggregate` makes of the features (E, F) of the edges that arrive at each node, (N_dst, F).

    Sums and means on a GPU are taken without atomics, whose order differs from run to run.
    """
    if how not in ("sum", "mean") or not usable(features):
        return combine(features, edge_index[1], counts[1], how)  # type: ignore[arg-type]
    csr, exact = structure(edge_index, *counts), torch.promote_types(features.dtype, torch.float32)
    total = product(csr.row_sums, features.to(exact).index_select(0, csr.order))
    return (total / csr.divisor if how == "mean" else total).to(features.dtype)
