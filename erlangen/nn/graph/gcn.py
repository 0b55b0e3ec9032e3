"""The graph convolution of Kipf & Welling: a sum over the neighbors and the node itself, weighted by their degrees.

    H' = D̂^(-1/2) Â D̂^(-1/2) H Θ + b,       Â = A + I,  D̂ the in-degrees of Â

Source: Kipf & Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017; PyG's `GCNConv`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from erlangen.nn.graph import launch
from erlangen.nn.graph.aggregate import aggregate
from erlangen.nn.graph.algebra import add_self_loops
from erlangen.nn.graph.checks import check_edge_index, check_edge_weight
from erlangen.nn.graph.csr import CSR, neighbor_sum, of_sources, of_targets, product, structure
from erlangen.nn.graph.features import check_features
from erlangen.nn.graph.fused_convolution import convolved
from erlangen.nn.graph.inputs import Edges, Flow, Graph, read_graph
from erlangen.nn.graph.linear import linear, plain, reset
from erlangen.nn.graph.message_passing import call_message, message_factors, overrides
from erlangen.nn.graph.remember import remember


def gcn_weights(edge_index: Tensor, num_nodes: int, edge_weight: Tensor, given: bool = True) -> Tensor:
    """w_uv / √(d_u d_v) for every edge, (E,), where d is the sum of a node's incoming weights; 0 if d_u or d_v is 0.

    given: whether somebody has given the weights. Raises ValueError if the sum is negative for a node; on a GPU only the first
    weights given with these edges are checked.
    """
    if launch.usable(edge_weight):
        return sorted_gcn_weights(edge_index, num_nodes, edge_weight, given)
    total = edge_weight.new_zeros(num_nodes).index_add(0, edge_index[1], edge_weight)
    if not torch.compiler.is_compiling():
        check_totals(total)
    scale = inverse_root(total)
    return scale[edge_index[0]] * edge_weight * scale[edge_index[1]]


def sorted_gcn_weights(edge_index: Tensor, num_nodes: int, edge_weight: Tensor, given: bool) -> Tensor:
    """`gcn_weights` on a GPU, by sums in float32 without atomics, whose order differs from run to run."""
    csr = structure(edge_index, num_nodes, num_nodes)
    weight = edge_weight.index_select(0, csr.order).to(torch.promote_types(edge_weight.dtype, torch.float32))
    total = product(csr.row_sums, weight[:, None])  # (N, 1)
    remember(edge_index, ("totals", num_nodes, weight.dtype, given), lambda: check_totals(total[:, 0]))
    scale = inverse_root(total)
    entries = of_sources(csr, scale)[:, 0] * weight * of_targets(csr, scale)[:, 0]
    return entries.index_select(0, csr.inverse).to(edge_weight.dtype)


def check_totals(total: Tensor) -> None:
    """Raise ValueError if the sum of the weights (N,) that arrive at a node is negative."""
    if (total < 0).any():
        node = int((total < 0).nonzero()[0])
        raise ValueError(
            f"edge_weight: the weights that arrive at node {node} add up to {float(total[node]):.3g}, which has no square root: "
            f"use weights with sums of at least 0"
        )


def inverse_root(total: Tensor) -> Tensor:
    """1 / √total, and 0 where total is 0."""
    return torch.where(total > 0, torch.where(total > 0, total, 1).rsqrt(), 0)


class GCNConv(nn.Module):
    """The graph convolution of Kipf & Welling, with the arguments, parameters and numbers of PyG's `GCNConv`.

    in_channels: -1 takes the width from the first input. improved: loops of weight 2, Â = A + 2I. cached: keep the edges and
    their weights of the first call, for the same graph in every later one. add_self_loops: add a loop to every node that has
    none; existing loops keep their weights, and several add up; by default as `normalize`. normalize: without it, H' = A H Θ + b.
    x (N, F), or (B, N, F) for many graphs with the same edges; edge_index (2, E), or a transposed sparse adjacency, whose entries
    are the weights; edge_weight (E,) or None -> (N, out). Raises ValueError for input that does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        improved: bool = False,
        cached: bool = False,
        add_self_loops: bool | None = None,
        normalize: bool = True,
        bias: bool = True,
        *,
        flow: Flow = "source_to_target",
    ) -> None:
        super().__init__()
        if add_self_loops and not normalize:
            raise ValueError("GCNConv does not support adding self-loops without normalization: drop one of the two arguments")
        self.in_channels, self.out_channels, self.improved, self.cached, self.flow = (
            in_channels,
            out_channels,
            improved,
            cached,
            flow,
        )
        self.add_self_loops = normalize if add_self_loops is None else add_self_loops
        self.normalize = normalize
        self.lin = linear(in_channels, out_channels, bias=False, glorot=True)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self._cached_edge_index: tuple[Tensor, Tensor | None] | None = None
        self._cached_entries: tuple[object, CSR, Tensor] | None = None  # the cached graph, sorted

    def reset_parameters(self) -> None:
        """Draw the weights anew, and forget a cached graph."""
        reset(self.lin, glorot=True)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self._cached_edge_index = self._cached_entries = None

    def message(self, x_j: Tensor, edge_weight: Tensor | None) -> Tensor:
        """The features of the source of every edge, times its weight, (E, F)."""
        return x_j if edge_weight is None else edge_weight.view(-1, 1) * x_j

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        if isinstance(x, (tuple, list)):
            raise ValueError(
                "GCNConv: x is a pair, but its weights need the degrees of one set of nodes: use GraphConv or SAGEConv"
            )
        known = self._cached_edge_index
        read = read_graph(edge_index, self.flow) if known is None else Graph(known[0], known[1], None, False)
        check_features(x, static=True, graph=read.edges)
        nodes = x.shape[-2]
        if (entries := self._entries(x, read, edge_weight)) is not None:
            return convolved(x, self.lin.weight, self.bias, *entries)
        edges, weight = known or self._weighted(read, nodes, edge_weight)
        if self.cached and known is None:
            self._cached_edge_index = (edges, weight)
        h, factors = self.lin(x), message_factors(self, edges)
        if factors is not None:
            weight = factors if weight is None else weight * factors
        if overrides(self, GCNConv, "message"):
            messages = call_message(self.message, Edges(edges, None, nodes, nodes), h, h, {"edge_weight": weight})
            out = aggregate(messages.movedim(-2, 0), edges[1], nodes, "sum").movedim(0, -2)
        elif h.ndim == 3:
            out = neighbor_sum(h.movedim(0, 1).flatten(1), edges, nodes, weight).view(nodes, *h.shape[::2]).movedim(1, 0)
        else:
            out = neighbor_sum(h, edges, nodes, weight)
        out = out.to(h.dtype) if edge_weight is None else out
        return out if self.bias is None else out + self.bias

    def _entries(self, x: Tensor, graph: Graph, edge_weight: Tensor | None) -> tuple[CSR, Tensor] | None:
        """The structure of a graph whose weights are known from an earlier call, and these weights in its order.

        None where there are no such weights, or where somebody listens to the linear layer or changes the messages: then the
        layer consists of several functions.
        """
        known, nodes = self._cached_edge_index, x.shape[-2]
        dense = isinstance(x, Tensor) and x.ndim == 2 and not torch.is_autocast_enabled(x.device.type)
        heard = not plain(self.lin) or overrides(self, GCNConv, "message", "weights") or hasattr(self, "message_factors")
        if not dense or heard or not self.normalize or torch.compiler.is_compiling():
            return None
        if known is not None:
            if known[1] is None or known[1].requires_grad:
                return None
            if self._cached_entries is None or self._cached_entries[0] is not known or self._cached_entries[1].rows != nodes:
                self._cached_entries = (known, *sorted_entries(*known, nodes))
            return self._cached_entries[1:]
        if self.cached or edge_weight is not None or graph.value is not None or graph.stated is not None:
            return None
        key = ("entries", nodes, self.lin.weight.dtype, self.improved, self.add_self_loops)
        return remember(graph.edges, key, lambda: sorted_entries(*self.weights(graph.edges, nodes), nodes))

    def _weighted(self, graph: Graph, nodes: int, edge_weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The edges and their weights, of whatever was passed as the graph."""
        edge_index, value, stated, _ = graph
        if stated is not None and any(count not in (None, nodes) for count in stated):
            raise ValueError(f"the adjacency has {stated[0]} sources and {stated[1]} targets, but x has {nodes} nodes")
        return self.weights(edge_index, nodes, value if edge_weight is None else edge_weight)

    def weights(self, edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The edges (2, E'), including added loops, and their weights (E',), which are cached if no edge_weight is given."""
        if edge_weight is not None:
            check_edge_weight(edge_weight, edge_index.shape[-1], edge_index)
        if not self.normalize:
            check_edge_index(edge_index, num_nodes)
            return edge_index, edge_weight
        edges, loop = edge_index, 2.0 if self.improved else 1.0
        if self.add_self_loops:
            edges = remember(edge_index, ("loops", num_nodes, num_nodes), lambda: _looped(edge_index, num_nodes))
        if not torch.compiler.is_compiling():
            structure(edges, num_nodes, num_nodes)  # checks edge_index before anything is read from it
        added = edges.shape[1] - edge_index.shape[1]
        if edge_weight is not None:
            return edges, gcn_weights(edges, num_nodes, torch.cat([edge_weight, edge_weight.new_full((added,), loop)]))
        dtype = torch.promote_types(self.lin.weight.dtype, torch.float32)
        return edges, remember(
            edges, ("gcn", dtype, loop), lambda: gcn_weights(edges, num_nodes, ones(edges, added, loop, dtype), given=False)
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"


def ones(edges: Tensor, added: int, loop: float, dtype: torch.dtype) -> Tensor:
    """A weight of 1 for each given edge, and of `loop` for those that were added at the end, (E,)."""
    weight = torch.ones(edges.shape[1], dtype=dtype, device=edges.device)
    weight[edges.shape[1] - added :] = loop
    return weight


def sorted_entries(edges: Tensor, weight: Tensor | None, num_nodes: int) -> tuple[CSR, Tensor]:
    """The structure of the edges (2, E), and their weights (E,) in its order, in float32 at least."""
    assert weight is not None
    csr = structure(edges, num_nodes, num_nodes)
    return csr, weight.to(torch.promote_types(weight.dtype, torch.float32)).index_select(0, csr.order)


def _looped(edge_index: Tensor, num_nodes: int) -> Tensor:
    check_edge_index(edge_index, num_nodes)
    return add_self_loops(edge_index, num_nodes)
