"""The tasks of `noisy-neighbors`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Layer: TypeAlias = Literal["gcn", "gat", "gatv2", "uniform"]
LAYERS: tuple[Layer, ...] = ("gcn", "gat", "gatv2", "uniform")

Noise: TypeAlias = Literal["swapped", "shifted", "loud", "normal", "edges"]
NOISES: tuple[Noise, ...] = ("swapped", "shifted", "loud", "normal", "edges")
"""The order of whatever a job measures noise by noise."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Look at the weights of every edge, with random features and parameters."""


@dataclass(frozen=True, kw_only=True)
class TrainedWeights:
    """Train a net of one form (`mean`, or one of LAYERS), then look at the weights of every edge of its first layer."""

    form: str


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one layer on the clean graph and test it under every noise; train it again under every noise, and test it there.

    share: noise in training, and at which layers are compared. shares: further noise that the test of the first net goes through.
    The graph: its name `data`, the `nodes` of block models or 0, a file's `digest` or ''; `features` that are kept of it.
    """

    layer: Layer
    share: float
    shares: tuple[float, ...]
    dropouts: tuple[float, ...]
    epochs: int
    patience: int
    data: str
    nodes: int
    digest: str
    features: int


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Give clean nodes an attention that ignores whatever is marked as noise: what is measured must see it."""

    share: float
    data: str
    nodes: int
    digest: str
    features: int


@dataclass(frozen=True, kw_only=True)
class Separate:
    """Train one layer on two classes of nodes; see what attention goes to neighbors of the other class.

    distance: between the class means, in √(log nodes) standard deviations of the features. other: share of a node's neighbors
    that are of the other class.
    """

    layer: Layer
    distance: float
    other: float
    dropouts: tuple[float, ...]
    epochs: int
    patience: int
    two_class_nodes: int


@dataclass(frozen=True, kw_only=True)
class PlantedSeparate:
    """The attention that Fountoulakis et al. (2023) construct, with the true class means, on the same graphs."""

    distance: float
    other: float
    two_class_nodes: int
