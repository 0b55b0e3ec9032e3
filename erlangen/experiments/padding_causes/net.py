"""The pooled net of the padding experiment with a border of its own for each axis, for the last layer and for the pool."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.padding_causes.arms import CHANNELS, KERNEL, Border
from erlangen.nn import padding


def pad(x: Tensor, border: Border) -> Tensor:
    """x (N, C, H, W) with `border.width` pixels on every side -> (N, C, H + 2 width, W + 2 width).

    inside: x,     outside: scale · the copy that the mode makes, and 0 off the border's axis
    """
    out = padding.pad(x, border.width, border.mode)
    return out if border.axis == "both" and border.scale == 1 else out * factors(out, border)


def factors(padded: Tensor, border: Border) -> Tensor:
    """1 inside, `scale` outside along the border's axis and 0 elsewhere, (H, W) of a padded map."""
    width, ones = border.width, torch.ones_like(padded[0, 0])
    inside = F.pad(ones[width:-width, width:-width], (width,) * 4)
    within_rows, within_columns = inside.amax(1, keepdim=True), inside.amax(0, keepdim=True)  # (H, 1), (1, W)
    off_axis = {"both": 0 * ones, "rows": 1 - within_columns, "columns": 1 - within_rows}[border.axis]
    return inside + border.scale * (1 - inside) * (1 - off_axis)


class BorderedConv2d(nn.Conv2d):
    """A bias-free 3×3 convolution with the padding of a border. Weights are initialized as in `nn.Conv2d`.

    ends: pixels of padding before and after, where nothing but zeros is padded.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, border: Border, ends: tuple[int, int]) -> None:
        super().__init__(in_channels, out_channels, KERNEL, stride, bias=False)
        self.border, self.ends = border, ends

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.ends
        if self.border.mode != "zeros":
            return F.conv2d(pad(x, self.border), self.weight, None, self.stride)
        if before == after:  # torch's own padding is the fastest
            return F.conv2d(x, self.weight, None, self.stride, before)
        return F.conv2d(F.pad(x, (before, after, before, after)), self.weight, None, self.stride)


class BorderedCNN(nn.Module):
    """(N, 3, 32, 32) -> logits (N, 2). `features` returns the input of the last layer, (N, 64): the maxima of the last map.

    Modules are created in the order of `erlangen.models.padded_cnn.PaddedCNN`: a seed gives every arm the same first weights.
    """

    def __init__(self, border: Border) -> None:
        super().__init__()
        self.border = border
        layers = zip(CHANNELS, CHANNELS[1:], border.strides(), border.paddings(), strict=False)
        self.convolutions = nn.ModuleList(
            BorderedConv2d(c_in, c_out, stride, border, ends) for c_in, c_out, stride, ends in layers
        )
        self.last = nn.Linear(CHANNELS[-1], 2)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, 64)."""
        for convolution in self.convolutions:
            x = F.relu(convolution(x), inplace=True)  # (N, C, h, h)
        kept = self.border.pooled()
        return F.adaptive_max_pool2d(x[:, :, kept.start : kept.stop, kept.start : kept.stop], 1).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.features(x))
        return logits
