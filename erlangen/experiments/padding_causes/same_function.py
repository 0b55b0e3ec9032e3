"""On which images a padding that copies is the same function as zero padding, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from erlangen.data.red_green import Split
from erlangen.experiments.padding_causes.arms import Axis, Border
from erlangen.experiments.padding_causes.net import BorderedCNN
from erlangen.experiments.padding_causes.reach import copied_places
from erlangen.records.runs import Measurement
from erlangen.train.classifier import predict


def same_function(net: BorderedCNN, split: Split) -> list[Measurement]:
    """How many images' logits change when all that is copied beyond the border is multiplied by 0; none to measure
    where nothing is copied. Apart: images of which a layer may copy part of a box, and those of which none can.
    """
    border = net.border
    if border.mode == "zeros":
        return []
    near = near_border(border, split.boxes)
    changed = (logits(net, border, split) != logits(net, replace(border, scale=0.0), split)).any(1)
    counts = {"near": near, "near_changed": near & changed, "away": ~near, "away_changed": ~near & changed}
    return [Measurement(f"border_{name}", int(which.sum()), "images") for name, which in counts.items()]


def near_border(border: Border, boxes: Tensor) -> Tensor:
    """The images (N,) of which some layer's padding may copy part of a box; boxes (N, 4) as in `Split`."""
    axes: dict[Axis, Tensor] = {"rows": boxes[:, 1::2], "columns": boxes[:, ::2]}
    copied = [torch.isin(at, torch.tensor(sorted(copied_places(border, axis)))).any(1) for axis, at in axes.items()]
    return copied[0] | copied[1]


def logits(net: BorderedCNN, border: Border, split: Split) -> Tensor:
    """The logits (N, 2) of the net's weights with another border."""
    twin = BorderedCNN(border)
    twin.load_state_dict(net.state_dict())
    return predict(twin, split.images.contiguous(memory_format=torch.channels_last))
