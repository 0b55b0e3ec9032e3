"""How alike the features of nodes are: along edges, and all over the graph."""

from __future__ import annotations

import torch
from torch import Tensor


def dirichlet_energy(h: Tensor, edge_index: Tensor) -> float:
    """Energy of h (N, F) over its size, with the unnormalized Laplacian L of an undirected graph:

        tr(Hᵀ L H) / ‖H‖²  =  Σ over undirected edges ‖h_u - h_v‖² / Σ_v ‖h_v‖²

    edge_index (2, E) holds each edge both ways. 0: neighbors are equal; a multiple of h has the same. NaN where h is 0 or not
    finite. Source: Cai & Wang, "A Note on Over-Smoothing for Graph Neural Networks", 2020.
    """
    h = _scaled(h)
    size = float(h.square().sum())
    if not size > 0:
        return float("nan")
    source, target = edge_index
    apart = sum(float((h[u] - h[v]).square().sum()) for u, v in zip(source.split(100_000), target.split(100_000), strict=True))
    return apart / 2 / size


def mean_average_distance(h: Tensor) -> float:
    """Mean cosine distance, 1 - cos(h_u, h_v), over all pairs of different nodes whose features are not 0; h (N, F).

    0: all point the same way; 1: on average at right angles. NaN where fewer than two are not 0. O(N), since the cosines add up
    to ‖Σ ĥ‖². Source: Chen et al., "Measuring and Relieving the Over-smoothing Problem", AAAI 2020, over all pairs.
    """
    h = _scaled(h)
    length = h.norm(dim=1, keepdim=True)
    h = (h / length)[length[:, 0] > 0]
    n = len(h)
    if n < 2:
        return float("nan")
    return float(1 - (h.sum(0).square().sum() - n) / (n * (n - 1)))


def _scaled(h: Tensor) -> Tensor:
    """h in float64 with its largest entry ±1: squares of features that have shrunk through many layers would be 0."""
    h = h.detach().double()
    largest = h.abs().max() if h.numel() else h.new_zeros(())
    return h / largest if largest > 0 else torch.zeros_like(h)
