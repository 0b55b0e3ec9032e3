"""Train several image classifiers of one architecture at once, on the same images: the nets of several seeds on one GPU.

    weights (B, ...) of B nets:   logits_b = net(weights_b, x),   loss = Σ_b cross_entropy(logits_b, labels)

A net's loss depends on its own weights alone, so that the gradient of the sum holds each net's gradient, and Adadelta works
number by number: each net takes the steps that it would take alone (`erlangen.train.classifier.fit`), up to rounding. On CUDA a
step of all nets is captured and replayed (`erlangen.train.replay`); the host reads three numbers per net and epoch.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.errors import ErlangenError
from erlangen.train.classifier import Curves, History, Schedule, adadelta, slices
from erlangen.train.precision import arithmetic
from erlangen.train.replay import Function, Replay
from erlangen.train.stacked_nets import FORM, Form, outputs, stack

Pair = tuple[Tensor, Tensor]


def fit_many(
    models: Sequence[nn.Module],
    train: Pair,
    validation: Pair,
    schedule: Schedule,
    precision: str = "float32",
    form: Form = FORM,
) -> list[History | ErlangenError]:
    """Train the models in place, each as `fit` would; leave each with the weights of its own lowest validation loss.

    train, validation: images (N, C, H, W) and labels (N,), on the models' device. Batches are not sliced. form: how the nets are
    computed (`erlangen.train.stacked_nets`). A net that has stopped is computed, in vain, until the last one stops.

    Returns, for each model, its history, or the error that `fit` would have raised, which stops no other model. Raises ValueError
    for models with buffers.
    """
    device = train[0].device
    with on_device(device):
        training = Training(models, train, validation, schedule, precision, form)
        step, validate = training.replays() if device.type == "cuda" else (training.step, training.validate)
        curves = [Curves(schedule.patience) for _ in models]
        errors: dict[int, ErlangenError] = {}
        for _ in range(schedule.epochs):
            training.totals.zero_()
            for batch, targets in slices(*train, size=schedule.batch_size):
                step(batch, targets)
            validate()
            improved = [False] * len(models)
            for net, numbers in enumerate(training.epoch()):
                if net not in errors and not curves[net].finished():
                    try:
                        improved[net] = curves[net].add(*numbers)
                    except ErlangenError as error:
                        errors[net] = error
            training.keep(improved)
            if all(net in errors or curve.finished() for net, curve in enumerate(curves)):
                break
        training.load_best(models)
    return [errors.get(net) or curve.history() for net, curve in enumerate(curves)]


class Training:
    """The stacked weights of the models, their optimizer, and the sums of an epoch, all on the device."""

    def __init__(
        self, models: Sequence[nn.Module], train: Pair, validation: Pair, schedule: Schedule, precision: str, form: Form
    ) -> None:
        if any(True for _ in models[0].buffers()):
            raise ValueError("fit_many trains parameters only, but these models have buffers: train them with fit")
        self.model, self.train, self.validation = models[0], train, validation
        self.schedule, self.precision, self.form = schedule, precision, form
        device = train[0].device
        self.first = stack(models)
        self.weights = {name: weight.clone().requires_grad_() for name, weight in self.first.items()}
        self.best = {name: weight.clone() for name, weight in self.first.items()}
        self.optimizer = adadelta(self.weights.values(), schedule, capturable=device.type == "cuda")
        self.totals = torch.zeros(len(models), device=device)  # of the batches' mean losses times their images
        self.means = torch.zeros(len(models), device=device)  # the sum of the validation batches' mean losses
        self.correct = torch.zeros(len(models), dtype=torch.int64, device=device)

    def logits(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> (B, N, classes)."""
        return outputs(self.model, self.weights, x, self.form)

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss (B,) of each net; logits (B, N, classes), labels (N,)."""
        each = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)), reduction="none")  # (B · N,)
        return each.view(len(logits), -1).mean(1)

    def step(self, x: Tensor, labels: Tensor) -> None:
        """One update of every net."""
        with arithmetic(x.device, self.precision):
            losses = self.losses(self.logits(x), labels)
            gradients = torch.autograd.grad(losses.sum(), list(self.weights.values()))
        for weight, gradient in zip(self.weights.values(), gradients, strict=True):
            weight.grad = gradient.contiguous()  # laid out as the weight, so that the optimizer fuses its kernels
        self.optimizer.step()
        self.totals += losses.detach() * len(labels)

    @torch.no_grad()
    def validate(self) -> None:
        """Compute the sums of the validation images."""
        self.means.zero_()
        self.correct.zero_()
        for x, labels in slices(*self.validation, size=self.schedule.batch_size):
            with arithmetic(x.device, self.precision):
                logits = self.logits(x).float()
            self.means += self.losses(logits, labels)
            self.correct += (logits.argmax(2) == labels).sum(1)

    def replays(self) -> tuple[Function, Function]:
        """`step` and `validate` as CUDA graphs, or with a warning as they are, if a capture fails."""
        step, validate = Replay(self.step), Replay(self.validate)
        try:
            for size in sorted({len(x) for (x,) in slices(self.train[0], size=self.schedule.batch_size)}):
                step.prepare(self.train[0][:size], self.train[1][:size])
            validate.prepare()
        except RuntimeError as error:
            message = f"a step cannot be captured in a CUDA graph, so its kernels are launched one by one, which is slow: {error}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            return self.step, self.validate
        finally:
            self.restart()
        return step, validate

    @torch.no_grad()
    def restart(self) -> None:
        """Undo all steps, in the same places in memory."""
        for name, weight in self.weights.items():
            weight.copy_(self.first[name])
        for state in self.optimizer.state.values():
            for value in state.values():
                value.zero_()

    def epoch(self) -> list[tuple[float, float, float]]:
        """Training loss, validation loss and accuracy of each net in the epoch that has ended, as `History` has them."""
        n_train, n_validation = len(self.train[1]), len(self.validation[1])
        sums = zip(self.totals.tolist(), self.means.tolist(), self.correct.tolist(), strict=True)
        return [(total / n_train, means / n_validation, 100 * correct / n_validation) for total, means, correct in sums]

    @torch.no_grad()
    def keep(self, improved: Sequence[bool]) -> None:
        """Keep the weights of the nets whose validation loss has improved."""
        if not any(improved):
            return
        chosen = torch.tensor(improved, device=self.totals.device)
        for name, weight in self.weights.items():
            kept = self.best[name]
            kept.copy_(torch.where(chosen.view(-1, *[1] * (weight.ndim - 1)), weight, kept))

    def load_best(self, models: Sequence[nn.Module]) -> None:
        """Load the weights that were kept."""
        for net, model in enumerate(models):
            model.load_state_dict({name: weight[net] for name, weight in self.best.items()})


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """A context in which `device` is the current one, for its streams and captures."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
