"""The effective field of untrained nets: how much the features of the middle pixel depend on each pixel of an image of noise.

Each layer of independent weights hands a squared gradient on to 3×3 pixels in equal parts, on average:

    E[field] = the L-fold convolution of 1/9 on 3×3,   deviation √(2 L / 3) in each axis

which is a Gaussian much narrower than the theoretical field, 2 L + 1 (Luo et al., 2016).
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from erlangen.experiments.receptive_field.attention import TorusAttention
from erlangen.experiments.receptive_field.tasks import SIDE, Effect
from erlangen.experiments.receptive_field.torus import TorusNet
from erlangen.measure.receptive_field import field_deviation, gradient_field
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

DRAWN = 16  # pixels on either side of the middle one that are kept for the picture


def effect(task: Effect, job: Job) -> list[Measurement]:
    """The deviation of the field along a row, how even it is, and the field itself around the middle."""
    seed_everything(job.seed)
    field = field_of(task, job.seed)
    side = len(field)
    return [
        Measurement("deviation", math.sqrt(sum(axis**2 for axis in field_deviation(field)) / 2), "pixels"),
        Measurement("evenness", evenness(field)),
        Measurement("own", float(field[side // 2, side // 2] / field.sum())),
        Measurement("side", side, "pixels"),
        Measurement("map", tuple((cropped(field) / field.sum()).flatten().tolist())),
    ]


def field_of(task: Effect, seed: int) -> Tensor:
    """The field in a square that holds all of it, (side, side), its middle the pixel itself."""
    side = SIDE if task.net == "relative" else 2 * task.layers + 1
    net = (
        TorusAttention("relative", task.layers, "max", side, side)
        if task.net == "relative"
        else TorusNet(task.net, task.layers, "mean")
    )
    generator = Generator().manual_seed(seed)
    noise = torch.randn(task.images, 2, side, side, generator=generator)
    return gradient_field(lambda x: net.maps(x)[:, :, side // 2, side // 2], noise, generator=generator)


def evenness(field: Tensor) -> float:
    """The mean of the field in its outer half over the mean in its inner half, by the larger of both distances from the middle.

    The pixel itself is left out. 1: what is far counts as much as what is near.
    """
    places = (torch.arange(len(field)) - len(field) // 2).abs()
    distance = torch.maximum(places[:, None], places)
    far = 2 * distance > len(field) // 2
    return float(field[far].mean() / field[~far & (distance > 0)].mean())


def cropped(field: Tensor) -> Tensor:
    """The field at most DRAWN pixels from its middle."""
    middle, kept = len(field) // 2, min(DRAWN, len(field) // 2)
    return field[middle - kept : middle + kept + 1, middle - kept : middle + kept + 1]
