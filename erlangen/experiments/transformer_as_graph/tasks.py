"""The jobs of `transformer-as-graph`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ArmName: TypeAlias = Literal[
    "self", "graph", "gat", "diluted", "random", "complete", "complete/walks", "complete/eigenvectors", "graph/eigenvectors",
    "self/eigenvectors",
]  # fmt: skip
"""What is attended to, and what is added to the features: return probabilities of random walks, or Laplacian eigenvectors.

gat: another network, GAT as it was published; all others are a Transformer that attends along the edges of a mask.
"""
CoraArm: TypeAlias = Literal["self", "graph", "gat", "complete"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Compare torch's encoder layer with the layer over edges, for each number of tokens."""

    sizes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Order:
    """Count how often two nodes rank two tokens differently, in random layers of each kind of attention."""


@dataclass(frozen=True, kw_only=True)
class Relabel:
    """Apply every relabeling of five tokens to a random layer."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Train on the karate club and keep the attention."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Tune and train one arm on one block model, then test it."""

    classes: int
    homophily: float
    arm: ArmName
    nodes: int
    epochs: int
    patience: int


@dataclass(frozen=True, kw_only=True)
class Cora:
    """Tune and train one arm on Cora's public split, then test it."""

    arm: CoraArm
    epochs: int
    patience: int
