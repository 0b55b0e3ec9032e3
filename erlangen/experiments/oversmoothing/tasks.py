"""The tasks of `oversmoothing`. Their graph: its name `data`, the `nodes` of block models or 0, a file's `digest` or ''."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Arm: TypeAlias = Literal["none", "root", "loops", "wide", "residual", "normalized", "alone"]
Activation: TypeAlias = Literal["relu", "tanh"]
Component: TypeAlias = Literal["giant", "whole"]
Kind: TypeAlias = tuple[Arm, Activation, bool]  # of nets: arm, σ, and whether the first weights are large

KINDS: dict[str, Kind] = {
    "root": ("root", "relu", False),
    "none": ("none", "relu", False),
    "loops": ("loops", "relu", False),
    "wide": ("wide", "relu", False),
    "residual": ("residual", "relu", False),
    "normalized": ("normalized", "relu", False),
    "tanh": ("none", "tanh", False),
    "tanh large": ("none", "tanh", True),
    "alone": ("alone", "relu", False),
}
RELU_LARGE: Kind = ("none", "relu", True)  # is not trained: see the part "weight scale, relu"
PROPAGATED: tuple[Arm, ...] = ("none", "root", "loops")  # without weights there is nothing to widen


@dataclass(frozen=True, kw_only=True)
class Itself:
    """Count the nodes whose outputs depend on their own features."""


@dataclass(frozen=True, kw_only=True)
class Propagate:
    """Average neighbors without weights, up to each of the depths, on the giant component or on the whole graph."""

    arm: Arm
    component: Component
    depths: tuple[int, ...]
    data: str
    nodes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Start:
    """Measure the features of untrained nets of each depth. scale: factor of the first weights."""

    arm: Arm
    activation: Activation
    scale: float
    depths: tuple[int, ...]
    width: int
    data: str
    nodes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one net on the giant component until its training loss is `loss`, for `epochs` at most."""

    arm: Arm
    activation: Activation
    scale: float
    depth: int
    width: int
    lr: float
    loss: float
    epochs: int
    dropout: float
    data: str
    nodes: int
    digest: str
