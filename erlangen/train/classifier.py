"""Train an image classifier from tensors in memory: Adadelta, no shuffling, early stopping on the validation loss.

Each batch is processed in slices that fit the processor's cache, and their gradients are added up before each step. The gradient
is that of the whole batch, but the feature maps are smaller, so that fewer memory pages are faulted in. A GPU needs no slices:
there `slice_size` is best the size of a batch. `erlangen.train.classifiers` trains several classifiers at once.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.errors import ErlangenError
from erlangen.train.precision import arithmetic


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How to train an image classifier.

    patience: training stops after this many epochs in a row without a new lowest validation loss.
    """

    epochs: int = 50
    batch_size: int = 200
    slice_size: int = 50
    patience: int = 9
    lr: float = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 5e-5


@dataclass(frozen=True)
class History:
    """Losses and accuracies of a training, one entry per epoch.

    train_loss: nats per image. validation_loss: as the source sums it (see `fit`). validation_accuracy: percent. best_epoch:
    counted from 0.
    """

    train_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]
    best_epoch: int


class Curves:
    """The curves of a training as they grow: they tell which epoch was the best, and when to stop.

    patience: see `Schedule`.
    """

    def __init__(self, patience: int) -> None:
        self.patience, self.failures, self.best_epoch = patience, 0, 0
        self.train_loss: list[float] = []
        self.validation_loss: list[float] = []
        self.validation_accuracy: list[float] = []

    def add(self, train_loss: float, validation_loss: float, validation_accuracy: float) -> bool:
        """Append an epoch; True if its validation loss is the lowest so far. Raises ErlangenError if a loss is not finite."""
        best = self.validation_loss[self.best_epoch] if self.validation_loss else math.inf
        self.train_loss.append(train_loss)
        self.validation_loss.append(validation_loss)
        self.validation_accuracy.append(validation_accuracy)
        if not (math.isfinite(train_loss) and math.isfinite(validation_loss)):
            raise ErlangenError(f"the loss is no longer finite in epoch {len(self.train_loss)}: lower the learning rate")
        improved = validation_loss < best
        self.failures = 0 if improved else self.failures + 1
        if improved:
            self.best_epoch = len(self.train_loss) - 1
        return improved

    def finished(self) -> bool:
        """Whether the last `patience` epochs in a row brought no new lowest validation loss."""
        return self.failures >= self.patience

    def history(self) -> History:
        return History(tuple(self.train_loss), tuple(self.validation_loss), tuple(self.validation_accuracy), self.best_epoch)


def slices(*tensors: Tensor, size: int) -> Iterator[tuple[Tensor, ...]]:
    """The tensors' rows, `size` at a time."""
    for start in range(0, len(tensors[0]), size):
        yield tuple(tensor[start : start + size] for tensor in tensors)


@torch.no_grad()
def predict(function: Callable[[Tensor], Tensor], x: Tensor, precision: str = "float32", size: int = 50) -> Tensor:
    """function(x) in float32, computed `size` rows at a time and without gradients."""
    with arithmetic(x.device, precision):
        return torch.cat([function(rows) for (rows,) in slices(x, size=size)]).float()


def percent_correct(logits: Tensor, labels: Tensor) -> float:
    """Accuracy in percent of logits (N, classes) against labels (N,)."""
    return 100 * int((logits.argmax(1) == labels).sum()) / len(labels)


def fit(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    schedule: Schedule,
    precision: str = "float32",
) -> History:
    """Train `model` in place and leave it with the weights of the lowest validation loss.

    train, validation: images (N, C, H, W) and labels (N,), on the model's device. The validation loss is the source's: the sum
    of the batches' mean losses, divided by the number of images. Raises ErlangenError if the loss becomes infinite or NaN.
    """
    images, labels = train
    optimizer = adadelta(model.parameters(), schedule)
    curves, best_weights = Curves(schedule.patience), copy.deepcopy(model.state_dict())
    while len(curves.train_loss) < schedule.epochs and not curves.finished():
        model.train()
        total = torch.zeros((), device=images.device)
        for batch, targets in slices(images, labels, size=schedule.batch_size):
            optimizer.zero_grad()
            for rows, row_targets in slices(batch, targets, size=schedule.slice_size):
                with arithmetic(images.device, precision):
                    loss = F.cross_entropy(model(rows), row_targets, reduction="sum") / len(targets)
                    loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach() * len(targets)
            optimizer.step()

        model.eval()
        logits = predict(model, validation[0], precision, schedule.slice_size)
        batches = slices(logits, validation[1], size=schedule.batch_size)
        means = [F.cross_entropy(rows, row_targets) for rows, row_targets in batches]
        validation_loss = float(sum(means)) / len(validation[1])
        if curves.add(float(total) / len(labels), validation_loss, percent_correct(logits, validation[1])):
            best_weights = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    return curves.history()


def adadelta(parameters: Iterable[Tensor], schedule: Schedule, capturable: bool = False) -> torch.optim.Adadelta:
    """The optimizer of a schedule. capturable: its steps can be captured in a CUDA graph."""
    return torch.optim.Adadelta(
        parameters,
        lr=schedule.lr,
        rho=schedule.rho,
        eps=schedule.eps,
        weight_decay=schedule.weight_decay,
        capturable=capturable,
    )
