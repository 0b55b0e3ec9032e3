"""Train an image classifier from tensors in memory: Adadelta, no shuffling, early stopping on the validation loss.

Each batch is processed in slices that fit the processor's cache, and their gradients are added up before each step. The gradient
is that of the whole batch, but the feature maps are smaller, so that fewer memory pages are faulted in.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.errors import ErlangenError


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


def slices(*tensors: Tensor, size: int) -> Iterator[tuple[Tensor, ...]]:
    """The tensors' rows, `size` at a time."""
    for start in range(0, len(tensors[0]), size):
        yield tuple(tensor[start : start + size] for tensor in tensors)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """A context in which products run in bfloat16, with float32 weights and sums; for float32 it does nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@torch.no_grad()
def predict(function: Callable[[Tensor], Tensor], x: Tensor, precision: str = "float32", size: int = 50) -> Tensor:
    """function(x) in float32, computed `size` rows at a time and without gradients."""
    with autocast(x.device, precision):
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
    optimizer = torch.optim.Adadelta(
        model.parameters(), lr=schedule.lr, rho=schedule.rho, eps=schedule.eps, weight_decay=schedule.weight_decay
    )
    best, best_epoch, best_weights, failures = float("inf"), 0, copy.deepcopy(model.state_dict()), 0
    train_losses: list[float] = []
    validation_losses: list[float] = []
    accuracies: list[float] = []
    for epoch in range(schedule.epochs):
        model.train()
        total = torch.zeros((), device=images.device)
        for batch, targets in slices(images, labels, size=schedule.batch_size):
            optimizer.zero_grad()
            for rows, row_targets in slices(batch, targets, size=schedule.slice_size):
                with autocast(images.device, precision):
                    loss = F.cross_entropy(model(rows), row_targets, reduction="sum") / len(targets)
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach() * len(targets)
            optimizer.step()
        train_losses.append(float(total) / len(labels))

        model.eval()
        logits = predict(model, validation[0], precision, schedule.slice_size)
        batches = slices(logits, validation[1], size=schedule.batch_size)
        means = [F.cross_entropy(rows, row_targets) for rows, row_targets in batches]
        validation_losses.append(float(sum(means)) / len(validation[1]))
        accuracies.append(percent_correct(logits, validation[1]))
        if not torch.isfinite(torch.tensor([train_losses[-1], validation_losses[-1]])).all():
            raise ErlangenError(f"the loss is no longer finite in epoch {epoch + 1}: lower the learning rate")
        if validation_losses[-1] < best:
            best, best_epoch, failures = validation_losses[-1], epoch, 0
            best_weights = copy.deepcopy(model.state_dict())
        else:
            failures += 1
            if failures >= schedule.patience:
                break
    model.load_state_dict(best_weights)
    return History(tuple(train_losses), tuple(validation_losses), tuple(accuracies), best_epoch)
