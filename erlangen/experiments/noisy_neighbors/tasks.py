"""The tasks of `noisy-neighbors`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Layer: TypeAlias = Literal["gcn", "gat", "gatv2", "uniform"]
LAYERS: tuple[Layer, ...] = ("gcn", "gat", "gatv2", "uniform")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Look at the weights of every edge, with random features and parameters."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Tune and train one layer, and test it at every noise of `shares`; train it again at every noise of `in_training`.

    The graph: its name `data`, the `nodes` of block models or 0, a file's `digest` or ''.
    """

    layer: Layer
    epochs: int
    patience: int
    shares: tuple[float, ...]
    in_training: tuple[float, ...]
    data: str
    nodes: int
    digest: str
