"""One step of training a language model, and all state that changes from step to step.

    loss = mean over windows and positions of -log p(token | the tokens before it in its window)

`erlangen.train.resumption` saves and restores that state. Source: Micikevicius et al., "Mixed Precision Training", ICLR 2018 (the
scaler of float16).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from erlangen.data.corpus import Corpus
from erlangen.errors import ErlangenError
from erlangen.models.gpt import GPT
from erlangen.train.captured_step import CapturedStep, capturable, captured
from erlangen.train.feed import Feed
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.optimizer import adamw, set_rate
from erlangen.train.parallel import Workers, unsynced
from erlangen.train.part_losses import part_losses
from erlangen.train.precision import Precision, arithmetic
from erlangen.train.replicas import Replicas
from erlangen.train.seeds import seed_everything
from erlangen.train.sharding import is_sharded

READ_EVERY = 16  # steps after which losses are read from a GPU: reading a loss waits for everything that was queued before it


class Step(NamedTuple):
    """An update, counted from 1, and the loss of its batch before the update, in nats per token."""

    step: int
    loss: float
    lr: float


class Evaluation(NamedTuple):
    """Losses after `step` updates in nats per token: the mean over the batches since the previous evaluation, and validation."""

    step: int
    train_loss: float
    validation_loss: float


class Training:
    """All state that changes from step to step, in one place, so that it can be saved and restored."""

    def __init__(
        self,
        model: GPT,
        corpus: Corpus,
        schedule: LanguageSchedule,
        precision: Precision,
        device: str,
        workers: Workers = Workers(),  # noqa: B008
    ) -> None:
        self.model, self.corpus, self.schedule, self.precision, self.workers = model, corpus, schedule, precision, workers
        self.device = torch.device(device)
        self.optimizer = adamw(model, schedule)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.data = Generator().manual_seed(schedule.seed)
        self.feed = Feed(corpus, model.config.block, self.device)
        threads = torch.get_num_threads() if self.device.type == "cpu" and workers.size == 1 else 1
        self.replicas = Replicas(model, threads, schedule.seed) if threads > 1 else None
        self.sharded = is_sharded(model)
        self.captured: CapturedStep | None = None
        seed_everything(schedule.seed + 1 + 1_000_003 * workers.rank)
        self.step = self.reported = 0  # updates made, and those whose losses were read
        self.evaluations: list[Evaluation] = []
        self.losses: list[float] = []  # since the last evaluation
        self.unread: list[Tensor] = []
        self.sent: Sent | None = None

    def capture(self, net: nn.Module, notify: Callable[[str], None] = lambda line: None) -> None:
        """Make the steps from here on by a CUDA graph, where that is possible and pays off. net: what `update` would be given."""
        if capturable(self):
            self.captured = captured(self, net, notify)

    def rows(self) -> Tensor:
        """This process's windows of the next batch, on the device: (B / processes, T + 1)."""
        return self.feed.rows(self.workers.rows(self.feed.starts(self.schedule.batch, self.data)))

    def batch(self) -> tuple[Tensor, Tensor]:
        """This process's windows of the next batch: inputs and targets (B / processes, T)."""
        rows = self.rows()
        return rows[:, :-1], rows[:, 1:]

    def update(self, net: nn.Module) -> None:
        """Take one optimizer step on the next batch."""
        rows = self.rows()
        set_rate(self.optimizer, self.schedule.lr_at(self.step))
        self.unread.append(self.apply(net, rows) if self.captured is None else self.captured(rows))
        self.step += 1

    def apply(self, net: nn.Module, rows: Tensor) -> Tensor:
        """Take one optimizer step on rows (B / processes, T + 1). Returns the loss before it, on the device."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.gradient(net, rows[:, :-1], rows[:, 1:])
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def gradient(self, net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Add the gradient of the batch's mean loss to the parameters, slice by slice. Returns the loss, on the net's device."""
        total = torch.zeros((), device=self.device)
        slices = list(zip(inputs.chunk(self.schedule.accumulate), targets.chunk(self.schedule.accumulate), strict=True))
        for number, (rows, row_targets) in enumerate(slices, 1):
            if self.replicas is not None and net is self.model:
                total += self.replicas.gradient(self.loss, rows, row_targets, 1 / len(slices))
                continue
            with unsynced(net, number < len(slices)):
                loss = self.loss(net, rows, row_targets) / len(slices)
                with backward_arithmetic(self.device, self.precision):
                    self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def loss(self, net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a net on a slice, in this training's precision."""
        return batch_loss(net, inputs, targets, self.precision)

    def read(self, on_step: Callable[[Step], None] | None, force: bool = True) -> None:
        """Read the losses of the last steps from the device. Raises ErlangenError if a loss is not finite.

        on_step: called for each of these steps. force: read all of them now. Otherwise a GPU is asked for READ_EVERY losses at a
        time, and they are read when the next ones are due, so that it always has steps queued.
        """
        if not force and self.device.type != "cpu" and len(self.unread) < READ_EVERY:
            return
        if self.sent is not None:
            self.report(self.sent.values(), on_step)
            self.sent = None
        if not self.unread:
            return
        losses, self.unread = torch.stack(self.unread), []
        if not force and self.device.type == "cuda":
            self.sent = Sent(losses)
        else:
            self.report(losses.tolist(), on_step)

    def report(self, losses: list[float], on_step: Callable[[Step], None] | None) -> None:
        """Take note of the losses of the next steps that were not read before."""
        for loss in losses:
            loss = self.workers.mean(loss)
            if not math.isfinite(loss):
                raise ErlangenError(
                    f"the loss is no longer finite at step {self.reported + 1}: lower the learning rate (it is "
                    f"{self.schedule.lr:g})"
                )
            self.losses.append(loss)
            self.reported += 1
            if on_step is not None:
                on_step(Step(self.reported, loss, self.schedule.lr_at(self.reported - 1)))

    def evaluate(self) -> Evaluation:
        """Measure the validation loss, on rank 0, or on all if they share the weights.

        Raises ErlangenError if it is not finite.
        """
        loss = math.nan
        if self.workers.rank == 0 or self.sharded:
            limit = self.schedule.evaluation_tokens
            loss = float(part_losses(self.model, self.corpus, "validation", self.precision, limit)[0].mean())
        loss = self.workers.first(loss)
        if not math.isfinite(loss):
            raise ErlangenError(
                f"the validation loss is not finite at step {self.step}: lower the learning rate (it is {self.schedule.lr:g})"
            )
        evaluation = Evaluation(self.step, statistics.fmean(self.losses), loss)
        self.evaluations.append(evaluation)
        self.losses = []
        return evaluation

    def best_step(self) -> int:
        """The step of the lowest validation loss, 0 before the first evaluation."""
        return min(self.evaluations, key=lambda evaluation: evaluation.validation_loss).step if self.evaluations else 0

    def out_of_patience(self) -> bool:
        """Whether the schedule's patience is used up."""
        patience, best = self.schedule.patience, self.best_step()
        return patience is not None and sum(evaluation.step > best for evaluation in self.evaluations) >= patience


class Sent:
    """Losses (n,) on their way from a GPU to the host."""

    def __init__(self, losses: Tensor) -> None:
        self.host = torch.empty(losses.shape, dtype=losses.dtype, pin_memory=True)
        self.host.copy_(losses, non_blocking=True)
        self.arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self.arrived.record(torch.cuda.current_stream(losses.device))

    def values(self) -> list[float]:
        """The losses, once they are here."""
        self.arrived.synchronize()
        values: list[float] = self.host.tolist()
        return values


def batch_loss(net: nn.Module, inputs: Tensor, targets: Tensor, precision: Precision) -> Tensor:
    """The mean loss, in nats per token, of inputs and targets (B, T). net: a `GPT`, or what compiles or wraps one."""
    with arithmetic(inputs.device, precision):
        loss: Tensor = net(inputs, targets=targets)
    return loss


def backward_arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """The context of a backward pass: each product has the dtype of its forward pass, and float32 ones are TF32 if it was."""
    return arithmetic(device, "tf32" if precision == "tf32" else "float32")
