"""The two nets of claim C2: four strided convolutions with a choice of padding, then max pooling (Net1) or flattening (Net2).

Source: UvA Deep Learning 1 (2024), assignment 2, after Kayhan & van Gemert, CVPR 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.padded_convolution import PaddedConv2d
from erlangen.nn.padding import PADDINGS, output_size

NetName = Literal["Net1", "Net2"]


@dataclass(frozen=True, kw_only=True)
class PaddedCNNConfig:
    """Configuration of a `PaddedCNN`.

    net: Net1 takes the maximum of each channel of the last map; Net2 flattens the map into a linear layer with as many features.
    padding: the name of an entry of `erlangen.nn.padding.PADDINGS`. side: height and width of the input in pixels.
    Raises ValueError for unknown names, or if the numbers of channels and strides do not match.
    """

    net: NetName = "Net1"
    padding: str = "valid"
    side: int = 32
    channels: tuple[int, ...] = (3, 32, 32, 64, 64)
    strides: tuple[int, ...] = (1, 2, 2, 2)
    kernel_size: int = 3
    classes: int = 2

    def __post_init__(self) -> None:
        if self.net not in ("Net1", "Net2"):
            raise ValueError(f"net {self.net!r} is unknown: choose Net1 or Net2")
        if self.padding not in PADDINGS:
            raise ValueError(f"padding {self.padding!r} is unknown: choose one of {', '.join(PADDINGS)}")
        if len(self.strides) != len(self.channels) - 1:
            raise ValueError(
                f"channels define {len(self.channels) - 1} layers, but there are {len(self.strides)} strides: give one per layer"
            )

    def map_sizes(self) -> tuple[int, ...]:
        """The side of the input and of the map after each convolution in pixels, by formula."""
        width = PADDINGS[self.padding].width
        sizes = [self.side]
        for stride in self.strides:
            sizes.append(output_size(sizes[-1], self.kernel_size, stride, width))
        return tuple(sizes)


class PaddedCNN(nn.Module):
    """(N, 3, side, side) -> logits (N, classes). `features` returns the input of the last layer, (N, 64).

    The modules are created in the source's order, with the last layer before Net2's flatten layer, so that a seed gives the same
    initial weights as in the source.
    """

    def __init__(self, config: PaddedCNNConfig) -> None:
        super().__init__()
        self.config = config
        width, padding = config.channels[-1], PADDINGS[config.padding]
        self.convolutions = nn.ModuleList(
            PaddedConv2d(c_in, c_out, config.kernel_size, stride, padding.width, bias=False, padding_mode=padding.mode)
            for c_in, c_out, stride in zip(config.channels, config.channels[1:], config.strides, strict=False)
        )
        self.last = nn.Linear(width, config.classes)
        self.flatten = nn.Linear(width * config.map_sizes()[-1] ** 2, width) if config.net == "Net2" else None
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(self, x: Tensor) -> Tensor:
        """(N, 3, side, side) -> the last feature maps (N, 64, h, h)."""
        for convolution in self.convolutions:
            x = F.relu(convolution(x), inplace=True)
        return x

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, side, side) -> features (N, 64), pooled or flattened."""
        x = self.maps(x)
        if self.flatten is None:
            return F.adaptive_max_pool2d(x, 1).flatten(1)
        features: Tensor = self.flatten(x.flatten(1))
        return features

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.features(x))
        return logits
