"""How similar the features of nodes are: along edges, and over the whole graph."""

from __future__ import annotations

import torch
from torch import Tensor


def dirichlet_energy(h: Tensor, edge_index: Tensor) -> float:
    """The Dirichlet energy of h (N, F), relative to its norm, with the unnormalized Laplacian L of an undirected graph:

        tr(Hᵀ L H) / ‖H‖²  =  Σ over undirected edges ‖h_u - h_v‖² / Σ_v ‖h_v‖²

    edge_index (2, E) must have each edge in both directions. 0: neighbors are equal. Scaling h does not change the result. NaN if
    h is 0 or not finite. Source: Cai & Wang, "A Note on Over-Smoothing for Graph Neural Networks", 2020.
    """
    h = _scaled(h)
    size = float(h.square().sum())
    if not size > 0:
        return float("nan")
    source, target = edge_index
    apart = sum(float((h[u] - h[v]).square().sum()) for u, v in zip(source.split(100_000), target.split(100_000), strict=True))
    return apart / 2 / size


def mean_average_distance(h: Tensor) -> float:
    """The mean cosine distance, 1 - cos(h_u, h_v), over all pairs of different nodes whose features are not 0; h (N, F).

    0: all features point in the same direction; 1: they are orthogonal on average. NaN if fewer than two nodes have features
    other than 0. O(N), because the sum of all cosines is ‖Σ ĥ‖². Source: Chen et al., "Measuring and Relieving the Over-smoothing
    Problem", AAAI 2020, here over all pairs.
    """
    h = _scaled(h)
    length = h.norm(dim=1, keepdim=True)
    h = (h / length)[length[:, 0] > 0]
    n = len(h)
    if n < 2:
        return float("nan")
    return float(1 - (h.sum(0).square().sum() - n) / (n * (n - 1)))


def _scaled(h: Tensor) -> Tensor:
    """h in float64, scaled so that its largest entry is ±1; else squares of features that many layers shrank could underflow."""
    h = h.detach().double()
    largest = h.abs().max() if h.numel() else h.new_zeros(())
    return h / largest if largest > 0 else torch.zeros_like(h)
