"""What a linear map reads from the features of a net: the boxes' height, their order, and the red box's column."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.data.red_green import Split, center_row
from erlangen.experiments.padding_causes.net import BorderedCNN
from erlangen.measure.probe import linear_r2
from erlangen.records.runs import Measurement
from erlangen.train.classifier import predict


def red_column(split: Split) -> Tensor:
    """The first column (N,) of the red box: the left box's for class 0, the right one's for class 1."""
    return torch.where(split.labels == 0, split.boxes[:, 0], split.boxes[:, 2])


def probe(net: BorderedCNN, crossed: Split, when: str = "") -> list[Measurement]:
    """Held-out R² from images on which the height says nothing about the order, and the same with heights dealt anew.

    The last must be 0 or less: nothing can be read of what the images do not hold.
    """
    features = predict(net.features, crossed.images.contiguous(memory_format=torch.channels_last))
    height = center_row(crossed.boxes)
    dealt = height[torch.randperm(len(height), generator=torch.Generator().manual_seed(0))]
    targets = {"place_r2": height, "order_r2": crossed.labels, "column_r2": red_column(crossed), "shuffled_r2": dealt}
    return [Measurement(name + when, linear_r2(features, target), "1") for name, target in targets.items()]
