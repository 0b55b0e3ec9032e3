"""Encodings of a node's position in its graph, to add to its features: return probabilities and Laplacian eigenvectors.

A network in which every node attends to all nodes does not see the edges; it knows them only through such encodings.
Sources: Dwivedi et al., "Graph Neural Networks with Learnable Structural and Positional Representations", ICLR 2022 (walks);
Belkin & Niyogi, "Laplacian Eigenmaps", Neural Computation 15, 2003, and Dwivedi & Bresson, arXiv 2012.09699, 2020 (eigenvectors).
"""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.nn.graph.algebra import adjacency, is_symmetric


def return_probabilities(edge_index: Tensor, num_nodes: int, steps: int) -> Tensor:
    """The probability p_vk = (Pᵏ)_vv, k = 1 ... steps, that a random walk from v is back at v after k edges.

    Returns (num_nodes, steps) float64. P = A D⁻¹ with the out-degrees D: each step takes one of a node's outgoing edges, with
    equal probabilities; at a node without outgoing edges the walk ends. O(steps · N³) time, dense. Raises ValueError for an
    edge_index that does not fit or fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"return_probabilities: steps = {steps} must be at least 1")
    a = adjacency(edge_index, num_nodes).double()  # (N, N): [target, source]
    step = a / a.sum(0).clamp(min=1)
    power, back = step, [step.diagonal()]
    for _ in range(steps - 1):
        power = step @ power
        back.append(power.diagonal())
    return torch.stack(back, dim=1)


def laplacian_eigenvectors(edge_index: Tensor, num_nodes: int, count: int, largest: bool = False) -> Tensor:
    """Eigenvectors of L = I - D⁻¹ᐟ² A D⁻¹ᐟ² of an undirected graph, (num_nodes, count) float64, of unit length.

    They belong to the smallest eigenvalues except the first, in ascending order, and vary slowly along edges; with `largest`, to
    the largest eigenvalues in descending order, and change sign along edges. The largest entry by absolute value is positive.
    Both signs are eigenvectors, so if you train on one graph and predict on another, flip the signs at random. O(N³) time, dense.
    Raises ValueError for a directed graph, an edge_index that does not fit or a count outside [1, num_nodes - 1].
    """
    if not 1 <= count < num_nodes:
        raise ValueError(
            f"laplacian_eigenvectors: count = {count} must be from 1 to {num_nodes - 1} for a graph of {num_nodes} nodes"
        )
    if not is_symmetric(edge_index, num_nodes):
        raise ValueError("laplacian_eigenvectors: the graph is directed: give each edge once in each direction")
    a = adjacency(edge_index, num_nodes).double()
    scale = a.sum(1).clamp(min=1).rsqrt()  # only nodes without edges are clamped
    normalized = torch.eye(num_nodes, dtype=a.dtype, device=a.device) - scale[:, None] * a * scale
    vectors: Tensor = torch.linalg.eigh(normalized).eigenvectors  # (N, N), in ascending order of eigenvalues
    chosen = vectors[:, num_nodes - count :].flip(1) if largest else vectors[:, 1 : count + 1]
    peak = chosen.gather(0, chosen.abs().argmax(0, keepdim=True))  # (1, count)
    return chosen * peak.sign()
