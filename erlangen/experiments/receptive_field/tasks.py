"""The tasks of `receptive-field`.

The nets of a torus, by name. plain: 3×3 convolutions and rectifiers. residual: each convolution added to its input. dilated: taps
1, 1, 2, 2, 4, 4, ... columns apart. spread: plain, but at the start the outer columns of each kernel have most of the weight.
relative: attention with a bias for each offset. unordered: attention without positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

FieldName: TypeAlias = Literal["convolution", "residual", "strided", "dilated", "full", "causal", "window"]
ConvolutionName: TypeAlias = Literal["plain", "residual", "dilated", "spread"]
AttentionName: TypeAlias = Literal["relative", "unordered"]
NetName: TypeAlias = ConvolutionName | AttentionName
Pool: TypeAlias = Literal["mean", "max"]

ROWS = 4  # of a torus
CHANNELS = 16  # of a convolution
WIDTH, HEADS = 32, 2  # of attention
SIDE = 33  # of the square of pixels on which the effective field of attention is measured
WINDOW = 4  # tokens that attention within a window sees, itself included
TOKENS = 24  # of the sequences that tell what attention reads


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Which inputs an output reads, in nets of 1 to `layers` layers. kernel: pixels of its side; 0 for attention."""

    field: FieldName
    kernel: int
    layers: int


@dataclass(frozen=True, kw_only=True)
class Effect:
    """How much an output of an untrained net depends on each input. images: of noise, over which that is averaged."""

    net: Literal["plain", "residual", "relative"]
    layers: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Learn:
    """Train a net to tell two marks that are `distance` columns apart from two that are `distance` + 2 apart."""

    net: NetName
    layers: int
    distance: int
    pool: Pool
    lr: float
    steps: int
    columns: int
