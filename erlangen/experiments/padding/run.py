"""Padding: train one net, or those of several seeds at once, then test it, probe its features and move its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from erlangen.data.red_green import center_row
from erlangen.errors import ErlangenError
from erlangen.experiments.kit.tasks import perform, read_task
from erlangen.experiments.padding.exact import border, maps
from erlangen.experiments.padding.images import Images, data, images
from erlangen.experiments.padding.tasks import SHIFTS, Border, Data, Maps, Train
from erlangen.measure.equivariance import flipped, relative_change
from erlangen.measure.probe import linear_r2
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.classifier import History, Schedule, fit, percent_correct, predict
from erlangen.train.classifiers import fit_many
from erlangen.train.seeds import seed_everything
from erlangen.train.stacked_nets import predict_many


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Border: border, Maps: maps, Data: data, Train: train})


def run_many(jobs: Sequence[Job]) -> list[list[Measurement] | ErlangenError]:
    """The measurements of jobs that train one net from several seeds, or the error of a job, in their order."""
    task: Train = read_task(Train, jobs[0])
    shown, nets = images_of(task, jobs[0]), [build(task, job) for job in jobs]
    untrained = observe(nets, shown, jobs[0])
    histories = fit_many(nets, shown.pair("train"), shown.pair("validation"), schedule(task, jobs[0]), jobs[0].precision)
    trained, scores = observe(nets, shown, jobs[0]), score(nets, shown, jobs[0])
    return [
        history if isinstance(history, ErlangenError) else measurements(history, accuracies, before, after)
        for history, accuracies, before, after in zip(histories, scores, untrained, trained, strict=True)
    ]


def train(task: Train, job: Job) -> list[Measurement]:
    """Accuracies in percent, how much a linear map reads from the features, and what shifts change, before and after training."""
    shown, net = images_of(task, job), build(task, job)
    (untrained,) = observe([net], shown, job)
    history = fit(net, shown.pair("train"), shown.pair("validation"), schedule(task, job), job.precision)
    (trained,), (scores,) = observe([net], shown, job), score([net], shown, job)
    return measurements(history, scores, untrained, trained)


def images_of(task: Train, job: Job) -> Images:
    return images(task.protocol, task.train, task.validation, task.test, job.device)


def build(task: Train, job: Job) -> PaddedCNN:
    """The net with the first weights of the job's seed, drawn on the CPU, so that they are the same on every device."""
    seed_everything(job.seed)
    return PaddedCNN(PaddedCNNConfig(net=task.net, padding=task.padding)).to(job.device)


def schedule(task: Train, job: Job) -> Schedule:
    return Schedule(epochs=task.epochs, patience=task.patience, slice_size=slice_size(job))


def slice_size(job: Job) -> int:
    """Images at a time in training. Slices fit a processor's cache; a GPU takes whole batches."""
    return Schedule.slice_size if job.device == "cpu" else Schedule.batch_size


def at_once(job: Job) -> int:
    """Images at a time without gradients."""
    return Schedule.slice_size if job.device == "cpu" else 500


class Observed(NamedTuple):
    """R² of height and order in the features; per shift, the change of the features and the percentage of flips."""

    place: float
    order: float
    changes: tuple[float, ...]
    flips: tuple[float, ...]


class Scores(NamedTuple):
    """Accuracies in percent on images that training does not use; the last two are leak-free under either protocol."""

    test: float
    unseen_validation: float
    unseen_test: float


class Features(nn.Module):
    """A net up to its 64 features before the last layer."""

    def __init__(self, net: PaddedCNN) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        return self.net.features(pixels)


def outputs_of(nets: Sequence[nn.Module], pixels: Tensor, job: Job, precision: str = "float32") -> Sequence[Tensor]:
    """What each net returns: on a GPU all together."""
    if job.device == "cpu":
        return [predict(net, pixels, precision, at_once(job)) for net in nets]
    return predict_many(nets, pixels, precision, at_once(job)).unbind()


def observe(nets: Sequence[PaddedCNN], shown: Images, job: Job) -> list[Observed]:
    """Probe the features of each net, then move the images. In float32, whatever the precision of the training."""
    parts = [Features(net) for net in nets]
    probed = outputs_of(parts, shown.probed(), job)
    still = outputs_of(parts, shown.pair("validation")[0], job)
    moved = zip(*(outputs_of(parts, shown.moved(rows), job) for rows in SHIFTS), strict=True)
    return [
        Observed(*probe(features.cpu(), shown), *shift(net, expected, actual))
        for net, features, expected, actual in zip(nets, probed, still, moved, strict=True)
    ]


def score(nets: Sequence[PaddedCNN], shown: Images, job: Job) -> list[Scores]:
    """The accuracies of each net, in the precision of the training."""
    columns = []
    for name, unseen in (("test", False), ("validation", True), ("test", True)):
        pixels, labels = shown.pair(name, unseen)
        columns.append([percent_correct(logits, labels) for logits in outputs_of(nets, pixels, job, job.precision)])
    return [Scores(*row) for row in zip(*columns, strict=True)]


def measurements(history: History, scores: Scores, untrained: Observed, trained: Observed) -> list[Measurement]:
    """What a trained net scores and shows, beside what it showed untrained."""
    return [
        Measurement("validation_accuracy", history.validation_accuracy[-1], "%"),
        Measurement("test_accuracy", scores.test, "%"),
        Measurement("unseen_validation_accuracy", scores.unseen_validation, "%"),
        Measurement("unseen_test_accuracy", scores.unseen_test, "%"),
        Measurement("epochs", len(history.train_loss), "epochs"),
        Measurement("best_epoch", history.best_epoch + 1, "epochs"),
        Measurement("train_loss", history.train_loss, "nats"),
        Measurement("validation_loss", history.validation_loss, "nats, batch means summed over images"),
        Measurement("validation_accuracy_by_epoch", history.validation_accuracy, "%"),
        Measurement("place_r2", trained.place, "1"),
        Measurement("place_r2_untrained", untrained.place, "1"),
        Measurement("order_r2", trained.order, "1"),
        Measurement("order_r2_untrained", untrained.order, "1"),
        Measurement("shift_change", trained.changes, "spread of the features"),
        Measurement("shift_change_untrained", untrained.changes, "spread of the features"),
        Measurement("shift_flips", trained.flips, "%"),
    ]


def probe(features: Tensor, shown: Images) -> tuple[float, float]:
    """R² of the boxes' height and of their order, read by a linear map from the features of the crossed images."""
    return linear_r2(features, center_row(shown.crossed.boxes)), linear_r2(features, shown.crossed.labels)


def shift(net: PaddedCNN, expected: Tensor, moved: Sequence[Tensor]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What changes when every validation picture moves by each of SHIFTS; the boxes stay inside.

    expected, moved: features before and after. Returns the median change of the features, relative to their spread over images,
    and the percentage of predictions that flip.
    """
    changes, flips = [], []
    for actual in moved:
        changes.append(float(relative_change(expected, actual).median()))
        with torch.no_grad():
            flips.append(100 * float(flipped(net.last(expected), net.last(actual)).double().mean()))
    return tuple(changes), tuple(flips)
