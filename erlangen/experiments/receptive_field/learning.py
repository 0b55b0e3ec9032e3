"""A net on a torus learns to tell two distances apart."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from erlangen.experiments.receptive_field.attention import TorusAttention
from erlangen.experiments.receptive_field.identity import differing_features
from erlangen.experiments.receptive_field.tasks import ROWS, Learn
from erlangen.experiments.receptive_field.torus import TorusNet, diagonal, marked
from erlangen.measure.receptive_field import along, field_deviation, gradient_field
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

LEARNED = 0.01  # nats: at this loss of its two images a net is trained no further
LATE = 2 / 3  # of the steps, after which the loss of a net that has not learned is noted
SCATTERED, DENSITY = 32, 1 / 16  # images on which the effective field is measured, and how many of their pixels are marks
SCATTER_SEED = 1_000_000  # above that of every training


def built(task: Learn) -> TorusNet | TorusAttention:
    """The net of a task, with random weights."""
    if task.net == "relative" or task.net == "unordered":
        return TorusAttention(task.net, task.layers, task.pool, ROWS, task.columns)
    return TorusNet(task.net, task.layers, task.pool)


def learn(task: Learn, job: Job) -> list[Measurement]:
    """Whether it learns and after how many updates, on images with the marks in every column; its effective field."""
    seed_everything(job.seed)
    net = built(task)
    before = columns_read(net, task.columns)
    updates, late, last = fit(net, task)
    after = columns_read(net, task.columns)
    accuracy, loss = tested(net, task)
    return [
        Measurement("test_accuracy", accuracy, "%"),
        Measurement("validation_loss", loss, "nats"),
        Measurement("updates", updates),
        Measurement("late_loss", late, "nats"),
        Measurement("train_loss", last, "nats"),
        Measurement("deviation_before", field_deviation(before)[0], "columns"),
        Measurement("deviation_after", field_deviation(after)[0], "columns"),
        Measurement("columns_before", tuple((before / before.sum()).tolist())),
        Measurement("columns_after", tuple((after / after.sum()).tolist())),
        Measurement("logit_gap", logit_gap(net, task)),
        *alike(net, task),
    ]


def fit(net: nn.Module, task: Learn) -> tuple[float, float, float]:
    """Train `net` in place on two images with Adam until it has learned them.

    Returns the updates that took, or all that it was given; its loss after two thirds of those, and the last one, in nats.
    """
    images, farther = marked(task.distance, task.columns, torch.zeros(1, 2, dtype=torch.long))
    optimizer = torch.optim.Adam(net.parameters(), lr=task.lr, fused=True)
    late = loss = math.nan
    for step in range(task.steps):
        value = F.cross_entropy(net(images), farther)
        loss = value.item()
        if step == int(LATE * task.steps):
            late = loss
        if not loss > LEARNED:  # learned, or no longer a number
            return step, loss if math.isnan(late) else late, loss
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return task.steps, late, loss


@torch.no_grad()
def tested(net: nn.Module, task: Learn) -> tuple[float, float]:
    """Accuracy in percent and loss in nats on images that have A in every column, and in every row."""
    images, farther = marked(task.distance, task.columns, diagonal(task.columns))
    logits = torch.cat([net(some) for some in torch.split(images, 32)])
    return 100 * float((logits.argmax(1) == farther).float().mean()), float(F.cross_entropy(logits, farther))


@torch.no_grad()
def logit_gap(net: nn.Module, task: Learn) -> float:
    """How far apart the logits of the two distances are in float64, over the larger of 1 and their size."""
    images, _ = marked(task.distance, task.columns, torch.zeros(1, 2, dtype=torch.long))
    near, far = copy.deepcopy(net).double()(images.double())
    return float((near - far).norm() / near.norm().clamp(min=1.0))


def alike(net: nn.Module, task: Learn) -> list[Measurement]:
    """Of a convolutional net: the features that differ between the two distances, of how many, and the columns that it sees."""
    if not isinstance(net, TorusNet):
        return []
    differing, features = differing_features(net, task.distance, task.columns)
    return [
        Measurement("differing", differing),
        Measurement("features", features),
        Measurement("field", 2 * net.reach() + 1, "columns"),
    ]


def columns_read(net: TorusNet | TorusAttention, columns: int) -> Tensor:
    """How much the features of a place in the middle column depend on each column, (columns,), in float64.

    Over images with marks at random places, which untrained nets read like noise and trained ones like what they have seen.
    """
    generator = Generator().manual_seed(SCATTER_SEED)
    images = (torch.rand(SCATTERED, 2, ROWS, columns, generator=generator) < DENSITY).float()
    return along(gradient_field(lambda x: net.maps(x)[:, :, 0, columns // 2], images, generator=generator), 1)
