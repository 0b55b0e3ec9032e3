"""Padding: train one net, then test it, probe its features and move its images."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.data.red_green import Split, center_row
from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.padding.exact import border, maps
from erlangen.experiments.padding.images import crossed_split, data, moved, splits
from erlangen.experiments.padding.tasks import SHIFTS, Border, Data, Maps, Train
from erlangen.measure.equivariance import flipped, relative_change
from erlangen.measure.probe import linear_r2
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.classifier import Schedule, fit, percent_correct, predict
from erlangen.train.seeds import seed_everything


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Border: border, Maps: maps, Data: data, Train: train})


def on_device(images: Tensor, job: Job) -> Tensor:
    """Channels-last: each pixel's channels side by side, three to ten times faster for so few channels."""
    return images.to(job.device, memory_format=torch.channels_last)


def train(task: Train, job: Job) -> list[Measurement]:
    """Accuracies in percent, how much a linear map reads from the features, and what shifts change, before and after training."""
    seen, unseen = (splits(protocol, task.train, task.validation, task.test) for protocol in (task.protocol, "leak-free"))
    seed_everything(job.seed)
    net = PaddedCNN(PaddedCNNConfig(net=task.net, padding=task.padding)).to(job.device)
    crossed = crossed_split(unseen)
    (place_untrained, order_untrained), (changes_untrained, _) = probe(net, crossed, job), shift(net, seen.validation, job)
    pairs = [(on_device(part.images, job), part.labels.to(job.device)) for part in (seen.train, seen.validation)]
    history = fit(net, pairs[0], pairs[1], Schedule(epochs=task.epochs, patience=task.patience), job.precision)

    def accuracy(part: Split) -> float:
        return percent_correct(predict(net, on_device(part.images, job), job.precision).cpu(), part.labels)

    (place, order), (changes, flips) = probe(net, crossed, job), shift(net, seen.validation, job)
    return [
        Measurement("validation_accuracy", history.validation_accuracy[-1], "%"),
        Measurement("test_accuracy", accuracy(seen.test), "%"),
        Measurement("unseen_validation_accuracy", accuracy(unseen.validation), "%"),
        Measurement("unseen_test_accuracy", accuracy(unseen.test), "%"),
        Measurement("epochs", len(history.train_loss), "epochs"),
        Measurement("best_epoch", history.best_epoch + 1, "epochs"),
        Measurement("train_loss", history.train_loss, "nats"),
        Measurement("validation_loss", history.validation_loss, "nats, batch means summed over images"),
        Measurement("validation_accuracy_by_epoch", history.validation_accuracy, "%"),
        Measurement("place_r2", place, "1"),
        Measurement("place_r2_untrained", place_untrained, "1"),
        Measurement("order_r2", order, "1"),
        Measurement("order_r2_untrained", order_untrained, "1"),
        Measurement("shift_change", changes, "spread of the features"),
        Measurement("shift_change_untrained", changes_untrained, "spread of the features"),
        Measurement("shift_flips", flips, "%"),
    ]


def probe(net: PaddedCNN, crossed: Split, job: Job) -> tuple[float, float]:
    """R² of the boxes' height and of their order, read by a linear map from the 64 features before the last layer."""
    features = predict(net.features, on_device(crossed.images, job)).cpu()
    return linear_r2(features, center_row(crossed.boxes)), linear_r2(features, crossed.labels)


def shift(net: PaddedCNN, split: Split, job: Job) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Move every picture by each of SHIFTS; the boxes stay inside.

    Returns the median change of the 64 features, relative to their spread over images, and the percentage of predictions
    that flip.
    """
    expected = predict(net.features, on_device(split.images, job))
    changes, flips = [], []
    for rows in SHIFTS:
        actual = predict(net.features, on_device(moved(split, rows), job))
        changes.append(float(relative_change(expected, actual).median()))
        with torch.no_grad():
            flips.append(100 * float(flipped(net.last(expected), net.last(actual)).double().mean()))
    return tuple(changes), tuple(flips)
