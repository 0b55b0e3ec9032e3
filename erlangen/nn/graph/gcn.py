"""The convolution of Kipf & Welling: neighbors weighted by degrees, the node itself one of them.

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
    """w_uv / √(d_u d_v) for every edge, (E,), d the sums of the weights that arrive; 0 where one of them is 0.

    Raises ValueError where the weights that arrive at a node add up to less than 0.
    """
    total = edge_weight.new_zeros(num_nodes).index_add(0, edge_index[1], edge_weight)
    if not torch.compiler.is_compiling() and (total < 0).any():
        node = int((total < 0).nonzero()[0])
        raise ValueError(
            f"edge_weight: those that arrive at node {node} add up to {float(total[node]):.3g}: no square root of it"
        )
    scale = torch.where(total > 0, torch.where(total > 0, total, 1).rsqrt(), 0)
    return scale[edge_index[0]] * edge_weight * scale[edge_index[1]]


class GCNConv(nn.Module):
    """x (N, in) -> (N, out); edge_index (2, E), edge_weight (E,) or None.

    add_self_loops: a loop of weight 1 for every node that has none (one that is there keeps its weight; several add up).
    in_channels -1 takes the width of the first input. Parameters are named as PyG's. Raises ValueError for unfit input.
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
        """The edges (2, E'), with loops where the layer adds them, and their weights (E',), remembered where none are given."""
        if edge_weight is not None:
            check_edge_weight(edge_weight, edge_index.shape[-1])
        edges = edge_index
        if self.add_self_loops:
            edges = remember(edge_index, ("loops", num_nodes, num_nodes), lambda: _looped(edge_index, num_nodes))
        if not torch.compiler.is_compiling():
            structure(edges, num_nodes, num_nodes)  # refuses what is no edge_index before anything is read from it
        if edge_weight is not None:
            loops = edge_weight.new_ones(edges.shape[1] - len(edge_weight))
            return edges, gcn_weights(edges, num_nodes, torch.cat([edge_weight, loops]))
        dtype = torch.promote_types(self.lin.weight.dtype, torch.float32)
        ones = torch.ones(edges.shape[1], dtype=dtype, device=edges.device)
        return edges, remember(edges, ("gcn", dtype), lambda: gcn_weights(edges, num_nodes, ones))


def _looped(edge_index: Tensor, num_nodes: int) -> Tensor:
    check_edge_index(edge_index, num_nodes)
    return add_self_loops(edge_index, num_nodes)
