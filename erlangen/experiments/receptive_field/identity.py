"""Whether a net has the same features for both distances, to the bit.

Two marks that no output sees together leave every output with what it has of one of them, whatever the distance: over all places,
the features are the same numbers in another order. Float32 and fast convolutions hide this, because rounding depends on the
place; here every feature is the same sum in the same order, element by element, in float64.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from erlangen.experiments.receptive_field.torus import TorusNet, marked


def plain_convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """`torus.convolve` with every sum in one order, so that equal surroundings give equal bits."""
    out = torch.zeros(len(x), layer.out_channels, *x.shape[2:], dtype=x.dtype, device=x.device)
    if layer.bias is not None:
        out += layer.bias[:, None, None]
    for row in (-1, 0, 1):
        for tap in (-1, 0, 1):
            rolled = x.roll((-row, -tap * layer.dilation[1]), (2, 3))
            weights = layer.weight[:, :, row + 1, tap + 1]  # (O, C)
            for channel in range(layer.in_channels):
                out += weights[:, channel, None, None] * rolled[:, channel : channel + 1]
    return out


@torch.no_grad()
def differing_features(net: TorusNet, distance: int, columns: int) -> tuple[int, int]:
    """How many of the sorted features differ between the two distances, channel by channel, and how many there are.

    Where none do, neither do the mean and the maximum over all places, nor anything else that is symmetric in the places.
    """
    images, _ = marked(distance, columns, torch.zeros(1, 2, dtype=torch.long))
    twin = copy.deepcopy(net).double()
    near, far = twin.maps(images.double(), plain_convolve).flatten(2).sort(-1).values  # (CHANNELS, places) each
    return int((near != far).sum()), near.numel()
