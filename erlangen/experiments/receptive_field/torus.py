"""Images on a torus, and the convolutional nets that read them.

Two marks stand in a row: A, one pixel in channel 0, and B, one pixel in channel 1, `distance` or `distance` + 2 columns to the
right of it.
Columns and rows are circular and so are the convolutions: to a net that pools over all places, there are only two images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.receptive_field.tasks import CHANNELS, ROWS, ConvolutionName, Pool

Convolve: TypeAlias = Callable[[Tensor, nn.Conv2d], Tensor]
OUTER, INNER = 1.2, 0.2
"""A spread start multiplies the outer columns of a kernel and the inner one by these; the sum of squares falls by 3 %."""


def marked(distance: int, columns: int, places: Tensor) -> tuple[Tensor, Tensor]:
    """Images (2 P, 2, ROWS, columns) with A at places (P, 2) of (row, column), and which distance each has, (2 P,) of 0 and 1."""
    row, column = places.repeat(2, 1).T
    farther = torch.arange(2).repeat_interleave(len(places))
    images = torch.zeros(len(row), 2, ROWS, columns)
    each = torch.arange(len(row))
    images[each, 0, row, column] = 1
    images[each, 1, row, (column + distance + 2 * farther) % columns] = 1
    return images, farther


def diagonal(columns: int) -> Tensor:
    """A place in every column, and as many in each row, (columns, 2)."""
    column = torch.arange(columns)
    return torch.stack([column % ROWS, column], 1)


def convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """The layer on a torus: x (N, C, H, W) -> (N, O, H, W). Columns may be dilated."""
    gap = layer.dilation[1]
    x = torch.cat([x[..., -gap:], x, x[..., :gap]], 3)
    return F.conv2d(torch.cat([x[:, :, -1:], x, x[:, :, :1]], 2), layer.weight, layer.bias, dilation=layer.dilation)


class TorusNet(nn.Module):
    """Images (N, 2, H, W) -> logits (N, 2): 3×3 convolutions, a pool over all places, a linear layer.

    plain       x ← relu(conv(x))
    residual    x ← x + conv(relu(x)), after a first convolution; a rectifier at the end

    He's start: weights N(0, 2 / (9 C)), biases 0. The field has 2 layers + 1 pixels to a side; dilated more columns.
    """

    def __init__(self, net: ConvolutionName, layers: int, pool: Pool) -> None:
        super().__init__()
        self.residual, self.pool = net == "residual", pool
        gaps = [2 ** (layer // 2) if net == "dilated" else 1 for layer in range(layers)]
        self.layers = nn.ModuleList(
            nn.Conv2d(CHANNELS if layer else 2, CHANNELS, 3, dilation=(1, gap)) for layer, gap in enumerate(gaps)
        )
        self.head = nn.Linear(CHANNELS, 2)
        for layer in self.convolutions():
            start(layer, spread=net == "spread")

    def convolutions(self) -> list[nn.Conv2d]:
        """The layers, first to last."""
        return [cast(nn.Conv2d, layer) for layer in self.layers]

    def reach(self) -> int:
        """The columns on either side of an output that it can depend on."""
        return sum(layer.dilation[1] for layer in self.convolutions())

    def maps(self, x: Tensor, convolve: Convolve = convolve) -> Tensor:
        """The features of every place, (N, CHANNELS, H, W)."""
        first, *others = self.convolutions()
        x = convolve(x, first)
        for layer in others:
            x = x + convolve(x.relu(), layer) if self.residual else convolve(x.relu(), layer)
        return x.relu()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.maps(x)
        pooled = maps.mean((2, 3)) if self.pool == "mean" else maps.amax((2, 3))
        return cast(Tensor, self.head(pooled))


@torch.no_grad()
def start(layer: nn.Conv2d, spread: bool) -> None:
    """He's weights, in place; with `spread`, most of the weight in the outer columns."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    if spread:
        layer.weight *= torch.tensor([OUTER, INNER, OUTER])
