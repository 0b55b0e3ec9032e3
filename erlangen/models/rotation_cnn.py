"""The net of claims C9 and C10, and nets that pool over places and turns: three 3×3 convolutions, each with ReLU and max pooling.

    flat      3 → 32 → 64 → 64, the last map 4×4 flattened: 1024 → 64 → 10
    pooled    the same with the mean of each channel in place of the flattened map: 64 → 64 → 10
    C4, C8    group convolutions, the maximum over turns and then the mean over places: fields → 64 → 10

Max pooling in 2×2 cells of a map with an even side commutes with quarter turns, since these move cells onto cells. So a C4 net
gives the same logits for an image turned by 90°, up to rounding.

Source of the flat net: UvA Deep Learning 1 (2024), assignment 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.group_convolution import GroupConv2d, Order, group_pool

Net: TypeAlias = Literal["flat", "pooled", "C4", "C8"]
Match: TypeAlias = Literal["compute", "parameters"]
ORDERS: dict[str, Order] = {"C4": 4, "C8": 8}
FIELDS = {  # of each layer; those of `compute` give as many channels as `pooled` has, those of `parameters` as many weights
    ("pooled", "compute"): (32, 64, 64),
    ("C4", "compute"): (8, 16, 16),
    ("C4", "parameters"): (18, 32, 32),
    ("C8", "compute"): (4, 8, 8),
    ("C8", "parameters"): (15, 28, 28),
}


@dataclass(frozen=True, kw_only=True)
class RotationCNNConfig:
    """Configuration of a `RotationCNN`.

    match: what a group-convolution net has as many of as the pooled net: multiply-adds of the convolutions, or parameters.
    width: factor of the number of channels. side: height and width of the input in pixels, a multiple of 8.
    Raises ValueError for another net or side, or a width that leaves no whole number of channels.
    """

    net: Net = "flat"
    match: Match = "compute"
    width: float = 1.0
    side: int = 32
    colors: int = 3
    hidden: int = 64
    classes: int = 10

    def __post_init__(self) -> None:
        if self.net not in ("flat", "pooled", *ORDERS):
            raise ValueError(f"net {self.net!r} is unknown: choose flat, pooled, C4 or C8")
        if self.side < 8 or self.side % 8:
            raise ValueError(f"side {self.side}: three poolings need a multiple of 8 pixels")
        if any(fields < 1 for fields in self.fields()):
            raise ValueError(f"width {self.width}: {self.net} would have a layer without channels")

    def fields(self) -> tuple[int, ...]:
        """The number of channels of each layer; in a group convolution each of them has 4 or 8 turns."""
        base = FIELDS.get((self.net, self.match)) or FIELDS["pooled", "compute"]
        return tuple(round(count * self.width) for count in base)


class RotationCNN(nn.Module):
    """(N, colors, side, side) -> logits (N, classes)."""

    def __init__(self, config: RotationCNNConfig) -> None:
        super().__init__()
        self.config = config
        fields = (config.colors, *config.fields())
        self.convolutions = nn.ModuleList(
            convolution(config.net, inner, outer, lifting=layer == 0) for layer, (inner, outer) in enumerate(pairwise(fields))
        )
        places = (config.side // 8) ** 2 if config.net == "flat" else 1
        self.hidden = nn.Linear(fields[-1] * places, round(config.hidden * config.width))
        self.last = nn.Linear(round(config.hidden * config.width), config.classes)

    def features(self, x: Tensor) -> Tensor:
        """What the two linear layers are given: (N, channels · places)."""
        for layer in self.convolutions:
            x = F.relu(F.max_pool2d(layer(x), 2), inplace=True)  # the same numbers as the other way round, on a fourth of them
        if self.config.net in ORDERS:
            x = group_pool(x, ORDERS[self.config.net])
        return x.flatten(1) if self.config.net == "flat" else x.mean((-2, -1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(F.relu(self.hidden(self.features(x))))
        return logits


def convolution(net: Net, inner: int, outer: int, lifting: bool) -> nn.Module:
    """A layer that keeps the size of its map."""
    if net in ORDERS:
        return GroupConv2d(inner, outer, ORDERS[net], lifting=lifting)
    return nn.Conv2d(inner, outer, 3, padding=1)
