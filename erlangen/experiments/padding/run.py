"""Padding: train one net, or those of several seeds at once, then test it, probe its features and move its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

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


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Border: border, Maps: maps, Data: data, Train: train})


def run_many(jobs: Sequence[Job]) -> list[list[Measurement] | ErlangenError]:
    """The measurements of jobs that train one net from several seeds, or the error of a job, in their order."""
    task: Train = read_task(Train, jobs[0])
    shown, nets = images_of(task, jobs[0]), [build(task, job) for job in jobs]
    untrained = [observe(net, shown, job) for net, job in zip(nets, jobs, strict=True)]
    histories = fit_many(nets, shown.pair("train"), shown.pair("validation"), schedule(task, jobs[0]), jobs[0].precision)
    return [
        history if isinstance(history, ErlangenError) else measurements(net, shown, before, history, job)
        for net, before, history, job in zip(nets, untrained, histories, jobs, strict=True)
    ]


def train(task: Train, job: Job) -> list[Measurement]:
    """Accuracies in percent, how much a linear map reads from the features, and what shifts change, before and after training."""
    shown, net = images_of(task, job), build(task, job)
    untrained = observe(net, shown, job)
    history = fit(net, shown.pair("train"), shown.pair("validation"), schedule(task, job), job.precision)
    return measurements(net, shown, untrained, history, job)


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
    return Schedule.slice_size if job.device == "cpu" else 2000


class Observed(NamedTuple):
    """R² of height and order in the features; per shift, the change of the features and the percentage of flips."""

    place: float
    order: float
    changes: tuple[float, ...]
    flips: tuple[float, ...]


def features_of(net: PaddedCNN, pixels: Tensor, job: Job) -> Tensor:
    """The 64 features before the last layer, in float32, whatever the precision of the training."""
    return predict(net.features, pixels, size=at_once(job))


def observe(net: PaddedCNN, shown: Images, job: Job) -> Observed:
    """Probe the features, then move the images."""
    return Observed(*probe(net, shown, job), *shift(net, shown, job))


def measurements(net: PaddedCNN, shown: Images, untrained: Observed, history: History, job: Job) -> list[Measurement]:
    """What the trained net scores and shows, beside what it showed untrained."""

    def accuracy(pixels: Tensor, labels: Tensor) -> float:
        return percent_correct(predict(net, pixels, job.precision, at_once(job)), labels)

    trained = observe(net, shown, job)
    return [
        Measurement("validation_accuracy", history.validation_accuracy[-1], "%"),
        Measurement("test_accuracy", accuracy(*shown.pair("test")), "%"),
        Measurement("unseen_validation_accuracy", accuracy(*shown.pair("validation", unseen=True)), "%"),
        Measurement("unseen_test_accuracy", accuracy(*shown.pair("test", unseen=True)), "%"),
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


def probe(net: PaddedCNN, shown: Images, job: Job) -> tuple[float, float]:
    """R² of the boxes' height and of their order, read by a linear map from the features."""
    features = features_of(net, shown.probed(), job).cpu()
    return linear_r2(features, center_row(shown.crossed.boxes)), linear_r2(features, shown.crossed.labels)


def shift(net: PaddedCNN, shown: Images, job: Job) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Move every validation picture by each of SHIFTS; the boxes stay inside.

    Returns the median change of the features, relative to their spread over images, and the percentage of predictions
    that flip.
    """
    expected = features_of(net, shown.pair("validation")[0], job)
    changes, flips = [], []
    for rows in SHIFTS:
        actual = features_of(net, shown.moved(rows), job)
        changes.append(float(relative_change(expected, actual).median()))
        with torch.no_grad():
            flips.append(100 * float(flipped(net.last(expected), net.last(actual)).double().mean()))
    return tuple(changes), tuple(flips)
