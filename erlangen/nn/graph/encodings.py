"""Where a node stands in its graph, as numbers to put beside its features: return probabilities and Laplacian eigenvectors.

A network that attends to every node is not told the edges: what it knows of them, it knows from these.
Sources: Dwivedi et al., "Graph Neural Networks with Learnable Structural and Positional Representations", ICLR 2022 (walks);
Belkin & Niyogi, "Laplacian Eigenmaps", Neural Computation 15, 2003, and Dwivedi & Bresson, arXiv 2012.09699, 2020 (eigenvectors).
"""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.nn.graph.algebra import adjacency, is_symmetric


def return_probabilities(edge_index: Tensor, num_nodes: int, steps: int) -> Tensor:
    """p_vk = (Pᵏ)_vv for k = 1 ... steps, (num_nodes, steps) float64: a random walk from v is back at v after k edges.

    P = A D⁻¹, D the out-degrees: each step takes one of the edges that leave a node, evenly. Where none leave, the walk ends.
    O(steps · N³) time, dense. Raises ValueError for an edge_index that does not fit or fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"return_probabilities: steps = {steps}: at least 1")
    a = adjacency(edge_index, num_nodes).double()  # (N, N): [target, source]
    step = a / a.sum(0).clamp(min=1)
    power, back = step, [step.diagonal()]
    for _ in range(steps - 1):
        power = step @ power
        back.append(power.diagonal())
    return torch.stack(back, dim=1)


def laplacian_eigenvectors(edge_index: Tensor, num_nodes: int, count: int, largest: bool = False) -> Tensor:
    """Eigenvectors of L = I - D⁻¹ᐟ² A D⁻¹ᐟ², (num_nodes, count) float64, of unit length, of an undirected graph.

    Those of the least eigenvalues but the first, rising, which vary slowly along edges; with `largest` those of the largest,
    falling, which change sign along them. The entry of largest size is positive: either sign is an eigenvector, and whoever
    trains on one graph and predicts on another must flip them at random. O(N³) time, dense. Raises ValueError for a directed
    graph, an edge_index that does not fit or a count outside [1, num_nodes - 1].
    """
    if not 1 <= count < num_nodes:
        raise ValueError(f"laplacian_eigenvectors: count = {count} of a graph of {num_nodes} nodes: from 1 to {num_nodes - 1}")
    if not is_symmetric(edge_index, num_nodes):
        raise ValueError("laplacian_eigenvectors: the graph is directed: give each edge once both ways")
    a = adjacency(edge_index, num_nodes).double()
    scale = a.sum(1).clamp(min=1).rsqrt()  # no edge is scaled by what is clamped: such a node has none
    normalized = torch.eye(num_nodes, dtype=a.dtype, device=a.device) - scale[:, None] * a * scale
    vectors: Tensor = torch.linalg.eigh(normalized).eigenvectors  # (N, N), eigenvalues rising
    chosen = vectors[:, num_nodes - count :].flip(1) if largest else vectors[:, 1 : count + 1]
    peak = chosen.gather(0, chosen.abs().argmax(0, keepdim=True))  # (1, count)
    return chosen * peak.sign()
