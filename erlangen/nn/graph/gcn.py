"""The graph convolution of Kipf & Welling: a sum over the neighbors and the node itself, weighted by their degrees.

    H' = D̂^(-1/2) Â D̂^(-1/2) H Θ + b,       Â = A + I,  D̂ the in-degrees of Â

Source: Kipf & Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017; PyG's `GCNConv`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from erlangen.nn.graph.algebra import add_self_loops
from erlangen.nn.graph.checks import check_edge_index, check_edge_weight
from erlangen.nn.graph.convolution import linear
from erlangen.nn.graph.csr import neighbor_sum, remember, structure
from erlangen.nn.graph.features import check_features


def gcn_weights(edge_index: Tensor, num_nodes: int, edge_weight: Tensor) -> Tensor:
    """w_uv / √(d_u d_v) for every edge, (E,), where d is the sum of a node's incoming weights; 0 if d_u or d_v is 0.

    Raises ValueError if the sum is negative for a node.
    """
    total = edge_weight.new_zeros(num_nodes).index_add(0, edge_index[1], edge_weight)
    if not torch.compiler.is_compiling() and (total < 0).any():
        node = int((total < 0).nonzero()[0])
        raise ValueError(
            f"edge_weight: the weights that arrive at node {node} add up to {float(total[node]):.3g}, which has no square root: "
            f"use weights with sums of at least 0"
        )
    scale = torch.where(total > 0, torch.where(total > 0, total, 1).rsqrt(), 0)
    return scale[edge_index[0]] * edge_weight * scale[edge_index[1]]


class GCNConv(nn.Module):
    """The graph convolution of Kipf & Welling: x (N, in) -> (N, out), with edge_index (2, E) and edge_weight (E,) or None.

    add_self_loops: add a loop of weight 1 to every node that has none; existing loops keep their weights, and several add up.
    in_channels: -1 takes the width from the first input. Parameters have the same names as in PyG. Raises ValueError for input
    that does not fit.
    """

    def __init__(self, in_channels: int, out_channels: int, *, add_self_loops: bool = True, bias: bool = True) -> None:
        super().__init__()
        self.add_self_loops = add_self_loops
        self.lin = linear(in_channels, out_channels, bias=False, glorot=True)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        check_features(x)
        edges, weight = self.weights(edge_index, len(x), edge_weight)
        h = self.lin(x)
        out = neighbor_sum(h, edges, len(x), weight)
        out = out.to(h.dtype) if edge_weight is None else out
        return out if self.bias is None else out + self.bias

    def weights(self, edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The edges (2, E'), including added loops, and their weights (E',), which are cached if no edge_weight is given."""
        if edge_weight is not None:
            check_edge_weight(edge_weight, edge_index.shape[-1])
        edges = edge_index
        if self.add_self_loops:
            edges = remember(edge_index, ("loops", num_nodes, num_nodes), lambda: _looped(edge_index, num_nodes))
        if not torch.compiler.is_compiling():
            structure(edges, num_nodes, num_nodes)  # checks edge_index before anything is read from it
        if edge_weight is not None:
            loops = edge_weight.new_ones(edges.shape[1] - len(edge_weight))
            return edges, gcn_weights(edges, num_nodes, torch.cat([edge_weight, loops]))
        dtype = torch.promote_types(self.lin.weight.dtype, torch.float32)
        ones = torch.ones(edges.shape[1], dtype=dtype, device=edges.device)
        return edges, remember(edges, ("gcn", dtype), lambda: gcn_weights(edges, num_nodes, ones))


def _looped(edge_index: Tensor, num_nodes: int) -> Tensor:
    check_edge_index(edge_index, num_nodes)
    return add_self_loops(edge_index, num_nodes)
