"""Train one net of an arm, test it with the heights swapped, and read what its features hold."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from erlangen.data.red_green import Split, gap
from erlangen.experiments.padding_causes.arms import ARMS, FIELD
from erlangen.experiments.padding_causes.images import Images, framed_images, report_images
from erlangen.experiments.padding_causes.net import BorderedCNN
from erlangen.experiments.padding_causes.probes import probe
from erlangen.experiments.padding_causes.reach import BOX, never_met
from erlangen.experiments.padding_causes.same_function import same_function
from erlangen.experiments.padding_causes.tasks import Cause, Frame
from erlangen.records.runs import Job, Measurement
from erlangen.train.classifier import Schedule, fit, percent_correct, predict
from erlangen.train.seeds import seed_everything


class Tested(nn.Module):
    """A net that notes its accuracy on `test` whenever it is switched to evaluation, as `fit` does once after every epoch."""

    def __init__(self, net: BorderedCNN, test: Split | None) -> None:
        super().__init__()
        self.net, self.test = net, test
        self.accuracies: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def train(self, mode: bool = True) -> Tested:
        super().train(mode)
        if self.test is not None and not mode:
            self.accuracies.append(accuracy(self.net, self.test))
        return self


def train_on_report(task: Cause, job: Job) -> list[Measurement]:
    """What a net learns from the report's images."""
    shown, unseen = report_images(task.train, task.validation, task.test)
    return train(task, job, shown, unseen)


def train_in_frame(task: Frame, job: Job) -> list[Measurement]:
    """What a net learns from images whose boxes keep a margin."""
    return train(task, job, framed_images(task.margin, task.train, task.validation, task.test), None)


def train(task: Cause | Frame, job: Job, shown: Images, unseen: Images | None) -> list[Measurement]:
    """Accuracies in percent, and what a linear map reads from the features before and after training."""
    seed_everything(job.seed)
    net = BorderedCNN(ARMS[task.arm])
    before = probe(net, shown.crossed, "_untrained")
    tested = Tested(net, shown.test if isinstance(task, Cause) and task.curve else None)
    history = fit(tested, pair(shown.train), pair(shown.validation), Schedule(epochs=task.epochs, patience=task.patience))
    tops = shown.train.boxes[:, [1, 3]].flatten().tolist()
    return [
        Measurement("validation_accuracy", history.validation_accuracy[history.best_epoch], "%"),
        *(Measurement(name, value, "%") for name, value in accuracies(net, shown, unseen)),
        Measurement("epochs", len(history.train_loss), "epochs"),
        Measurement("best_epoch", history.best_epoch + 1, "epochs"),
        Measurement("validation_loss_by_epoch", history.validation_loss, "nats, batch means summed over images"),
        Measurement("validation_accuracy_by_epoch", history.validation_accuracy, "%"),
        Measurement("test_accuracy_by_epoch", tuple(tested.accuracies), "%"),
        Measurement("cells", ARMS[task.arm].cells(), "cells"),
        Measurement("never_met", never_met(ARMS[task.arm], tops), "1"),
        *before,
        *probe(net, shown.crossed),
        *same_function(net, shown.test),
    ]


def accuracies(net: BorderedCNN, shown: Images, unseen: Images | None) -> Iterator[tuple[str, float]]:
    """The accuracies of the trained net; by the distance between the boxes as well, where the images are the report's."""
    yield "train_accuracy", accuracy(net, shown.train)
    yield "test_accuracy", accuracy(net, shown.test)
    if unseen is not None:
        yield "unseen_validation_accuracy", accuracy(net, unseen.validation)
        logits, labels = predict(net, pair(unseen.test)[0]), unseen.test.labels
        apart = gap(unseen.test.boxes) > FIELD + BOX - 2  # no unit sees the last column of one box and the first of the other
        for name, chosen in (("unseen_test", apart | True), ("far", apart), ("near", ~apart)):
            yield f"{name}_accuracy", percent_correct(logits[chosen], labels[chosen])


def accuracy(net: BorderedCNN, split: Split) -> float:
    """Accuracy in percent on a split."""
    pixels, labels = pair(split)
    return percent_correct(predict(net, pixels), labels)


def pair(split: Split) -> tuple[Tensor, Tensor]:
    """Images and labels; each pixel's channels side by side, several times faster for so few channels."""
    return split.images.contiguous(memory_format=torch.channels_last), split.labels
