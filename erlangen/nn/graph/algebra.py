"""Graphs as matrices: adjacency, degrees, Laplacian, walks.

In all functions `edge_index` is (2, E) int64 with the sources in row 0 and the targets in row 1, and the adjacency is
A[target, source], so that A H sums over incoming edges. Graphs are directed; an undirected edge is given in both directions.
Edges that occur several times add up.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from erlangen.nn.graph.checks import check_edge_index, check_edge_weight

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

LARGEST = 2**63 - 1  # of int64


def in_degree(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> Tensor:
    """The number of edges that end at each node, (num_nodes,) int64; with edge_weight (E,) the sum of their weights."""
    check_edge_index(edge_index, num_nodes)
    return _degree(edge_index[1], num_nodes, edge_weight)


def out_degree(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> Tensor:
    """The number of edges that start at each node, (num_nodes,) int64; with edge_weight (E,) the sum of their weights."""
    check_edge_index(edge_index, num_nodes)
    return _degree(edge_index[0], num_nodes, edge_weight)


def _degree(ends: Tensor, num_nodes: int, edge_weight: Tensor | None) -> Tensor:
    if edge_weight is None:
        return torch.bincount(ends, minlength=num_nodes)
    check_edge_weight(edge_weight, len(ends))
    return edge_weight.new_zeros(num_nodes).index_add(0, ends, edge_weight)


def adjacency(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> Tensor:
    """The dense adjacency A (num_nodes, num_nodes): A[v, u] = Σ over edges u → v of their weights, which are 1 by default.

    Differentiable in edge_weight (E,). Raises ValueError for an edge_index or weights that do not fit.
    """
    check_edge_index(edge_index, num_nodes)
    weight = _weights(edge_index, edge_weight)
    empty = weight.new_zeros(num_nodes, num_nodes)
    return empty.index_put((edge_index[1], edge_index[0]), weight, accumulate=True)


def sparse_adjacency(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> Tensor:
    """`adjacency` as a torch.sparse_csr tensor in O(E) memory; not differentiable in the weights. Multi-edges add up."""
    check_edge_index(edge_index, num_nodes)
    weight = _weights(edge_index, edge_weight).detach()
    return _csr(edge_index.flip(0), weight, num_nodes)


def laplacian(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> Tensor:
    """The dense unnormalized Laplacian L = D - A (num_nodes, num_nodes), where D are the in-degrees:

        (L x)_v = Σ_{u → v} w_uv (x_v - x_u)

    Every row adds up to 0, and self-loops have no effect. Differentiable in edge_weight (E,). Raises the errors of `adjacency`.
    """
    a = adjacency(edge_index, num_nodes, edge_weight)
    return torch.diag(a.sum(1)) - a


def sparse_laplacian(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None = None) -> Tensor:
    """`laplacian` as a torch.sparse_csr tensor; not differentiable in the weights."""
    check_edge_index(edge_index, num_nodes)
    weight = _weights(edge_index, edge_weight).detach()
    target = edge_index[1]
    places = torch.cat([edge_index.flip(0), torch.stack([target, target])], dim=1)  # (2, 2E)
    return _csr(places, torch.cat([-weight, weight]), num_nodes)


def _csr(places: Tensor, values: Tensor, num_nodes: int) -> Tensor:
    matrix: Tensor = (
        torch.sparse_coo_tensor(places, values, (num_nodes, num_nodes), check_invariants=False).coalesce().to_sparse_csr()
    )
    return matrix


def _weights(edge_index: Tensor, edge_weight: Tensor | None) -> Tensor:
    if edge_weight is None:
        return torch.ones(edge_index.shape[1], device=edge_index.device)
    check_edge_weight(edge_weight, edge_index.shape[1])
    return edge_weight


def walk_counts(edge_index: Tensor, num_nodes: int, length: int) -> Tensor:
    """The exact number of walks of n = `length` edges from u to v, at [v, u]: Aⁿ (num_nodes, num_nodes), torch.sparse_csr int64.

    A walk, unlike a path, may repeat nodes and edges, so there are at least as many walks. Multi-edges are different edges.
    Raises ValueError for a negative length, OverflowError if a count, at this or a smaller length, exceeds 2⁶³ - 1.
    """
    check_edge_index(edge_index, num_nodes)
    if length < 0:
        raise ValueError(f"walk_counts: length {length} must be at least 0")
    source, target = edge_index.cpu().numpy()
    shape = (num_nodes, num_nodes)
    a = sparse.csr_array((np.ones(len(source), dtype=np.int64), (target, source)), shape=shape)
    power = sparse.csr_array(sparse.eye_array(num_nodes, dtype=np.int64, format="csr"))
    for n in range(1, length + 1):
        _refuse_overflow(power.astype(np.float64) @ a.astype(np.float64), product := power @ a, n)
        power = product
    power.sort_indices()
    parts = (torch.from_numpy(part.astype(np.int64)) for part in (power.indptr, power.indices, power.data))
    # an empty array has stride 0, which torch 2.10 refuses
    rowptr, col, count = (part.clone(memory_format=torch.contiguous_format) for part in parts)
    return torch.sparse_csr_tensor(rowptr, col, count, shape, check_invariants=True)


def _refuse_overflow(estimate: sparse.csr_array, wrapped: sparse.csr_array, length: int) -> None:
    """Raise OverflowError if an int64 product overflowed.

    The float64 product is correct to 1e-9, the int64 product modulo 2⁶⁴. Together they are exact: near 2⁶³ the sign decides.
    """
    over = estimate.data > 2.0**63 * (1 + 1e-9)
    if over.any() or (wrapped.data < 0).any():
        raise OverflowError(
            f"walk_counts: between two nodes there are more than {LARGEST} walks of length {length} (about "
            f"{estimate.data.max():.3g}), which int64 cannot hold: count shorter walks, or use powers of the adjacency in float64"
        )


def self_loops(edge_index: Tensor) -> Tensor:
    """Whether each edge starts and ends at the same node, (E,) bool."""
    return edge_index[0] == edge_index[1]


def multi_edges(edge_index: Tensor) -> Tensor:
    """Whether each edge occurs more than once, (E,) bool; true for all its occurrences."""
    _, place, count = torch.unique(edge_index, dim=1, return_inverse=True, return_counts=True)
    repeated: Tensor = count[place] > 1
    return repeated


def isolated_nodes(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Whether each node has no edge from or to another node, (num_nodes,) bool."""
    check_edge_index(edge_index, num_nodes)
    isolated = torch.ones(num_nodes, dtype=torch.bool, device=edge_index.device)
    isolated[edge_index[:, ~self_loops(edge_index)].flatten()] = False
    return isolated


def is_symmetric(edge_index: Tensor, num_nodes: int) -> bool:
    """Whether every edge occurs equally often in both directions. Such a graph cannot reveal a wrong direction."""
    check_edge_index(edge_index, num_nodes)
    forth, back = (edge_index[a] * num_nodes + edge_index[1 - a] for a in (0, 1))  # (E,)
    return bool(torch.equal(forth.sort().values, back.sort().values))


def add_self_loops(edge_index: Tensor, num_nodes: int) -> Tensor:
    """The given edges in their order, followed by a self-loop for each of the first `num_nodes` nodes that has none, (2, E')."""
    missing = torch.ones(num_nodes, dtype=torch.bool, device=edge_index.device)
    missing[edge_index[0, self_loops(edge_index) & (edge_index[0] < num_nodes)]] = False
    return torch.cat([edge_index, missing.nonzero().T.expand(2, -1)], dim=1)


def complete_graph(num_nodes: int, loops: bool = True, causal: bool = False) -> Tensor:
    """All edges between `num_nodes` nodes, (2, E), ordered by target, then source.

    causal: only edges u → v with u ≤ v, like a causal mask, in which token v sees token u. loops: include u → u.
    """
    everyone = torch.arange(num_nodes)
    target, source = everyone.repeat_interleave(num_nodes), everyone.repeat(num_nodes)  # (N²,)
    kept = torch.ones(num_nodes**2, dtype=torch.bool)
    if causal:
        kept &= source <= target
    if not loops:
        kept &= source != target
    return torch.stack([source, target])[:, kept]
