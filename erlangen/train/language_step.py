"""One step of training a language model, and all state that changes from step to step, which can be saved and restored.

    loss = mean over windows and positions of -log p(token | the tokens before it in its window)

Weight decay applies to matrices, including the token and position embeddings, but not to norms and biases.

Sources: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019; Micikevicius et al., "Mixed Precision Training",
ICLR 2018 (the scaler of float16).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from erlangen.data.corpus import Corpus, random_starts, windows
from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.models.gpt import GPT
from erlangen.train.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.parallel import Workers, unsynced
from erlangen.train.part_losses import part_losses
from erlangen.train.precision import Precision, arithmetic
from erlangen.train.replicas import Replicas
from erlangen.train.seeds import seed_everything

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
        threads = torch.get_num_threads() if self.device.type == "cpu" and workers.size == 1 else 1
        self.replicas = Replicas(model, threads, schedule.seed) if threads > 1 else None
        seed_everything(schedule.seed + 1 + 1_000_003 * workers.rank)
        self.step = 0
        self.evaluations: list[Evaluation] = []
        self.losses: list[float] = []  # since the last evaluation
        self.unread: list[Tensor] = []

    def batch(self) -> tuple[Tensor, Tensor]:
        """This process's windows of the next batch: inputs and targets (B / processes, T)."""
        block, tokens = self.model.config.block, self.corpus.train
        starts = random_starts(len(tokens), block, self.schedule.batch, self.data, self.corpus.train_starts)  # (B,)
        inputs, targets = windows(tokens, self.workers.rows(starts), block)
        return inputs.to(self.device), targets.to(self.device)

    def update(self, net: nn.Module) -> None:
        """Take one optimizer step on the next batch."""
        inputs, targets = self.batch()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.gradient(net, inputs, targets)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.lr_at(self.step)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self.unread.append(loss)

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
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def loss(self, net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a net on a slice, in this training's precision."""
        return batch_loss(net, inputs, targets, self.precision)

    def read(self, on_step: Callable[[Step], None] | None, force: bool = True) -> None:
        """Read the losses of the last steps from the device. Raises ErlangenError if a loss is not finite.

        on_step: called for each of these steps. force: read them now, even if fewer than READ_EVERY are waiting on a GPU.
        """
        if not force and self.device.type != "cpu" and len(self.unread) < READ_EVERY:
            return
        first = self.step - len(self.unread)
        for step, loss in enumerate(torch.stack(self.unread).tolist() if self.unread else [], first):
            loss = self.workers.mean(loss)
            if not math.isfinite(loss):
                raise ErlangenError(
                    f"the loss is no longer finite at step {step + 1}: lower the learning rate (it is {self.schedule.lr:g})"
                )
            self.losses.append(loss)
            if on_step is not None:
                on_step(Step(step + 1, loss, self.schedule.lr_at(step)))
        self.unread = []

    def evaluate(self) -> Evaluation:
        """Measure the validation loss, on rank 0. Raises ErlangenError if it is not finite."""
        loss = math.nan
        if self.workers.rank == 0:
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

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors and the JSON that `go_on_from` restores. All processes must call it; rank 0 writes the result."""
        tensors = {"random.data": self.data.get_state(), "random.cpu": torch.stack(self.workers.gathered(torch.get_rng_state()))}
        if self.replicas is not None:
            tensors["random.replicas"] = self.replicas.state()
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.stack(self.workers.gathered(torch.cuda.get_rng_state(self.device)))
        for name, parameter in self.model.named_parameters():
            tensors |= {f"optimizer.{name}.{key}": value for key, value in self.optimizer.state[parameter].items()}
        return tensors, {"losses": self.losses, "scaler": self.scaler.state_dict()}

    def go_on_from(self, start: Checkpoint, corpus_sha256: str, notify: Callable[[str], None]) -> None:
        """Restore the weights, moments, random states and counts of a checkpoint.

        notify: called with a line for each state that cannot be restored exactly. Raises ErlangenError if the checkpoint belongs
        to another training.
        """
        where = start.path
        if not start.state:
            raise ErlangenError(f"{where} has only weights, so training cannot resume from it: name {LAST} in the same folder")
        if start.tokenizer.to_json() != self.corpus.tokenizer.to_json():
            raise ErlangenError(
                f"{where}: its tokenizer differs from that of the corpus {self.corpus.name}: resume on the corpus that it was "
                f"trained on"
            )
        if start.about.get("corpus_sha256") != corpus_sha256:
            raise ErlangenError(
                f"{where} was trained on {start.about.get('corpus')} with other tokens than this corpus has: resume on the "
                f"corpus that it was trained on"
            )
        if start.config != self.model.config:
            raise ErlangenError(f"{where}: its model has another configuration: resume without changing the model")
        self.model.load_state_dict(start.model.state_dict())
        try:
            for name, parameter in self.model.named_parameters():
                moments = {key: start.state[f"optimizer.{name}.{key}"].clone() for key in ("step", "exp_avg", "exp_avg_sq")}
                if any(moments[key].shape != parameter.shape for key in ("exp_avg", "exp_avg_sq")):
                    raise ValueError(f"moments of {name}")
                self.optimizer.state[parameter] = {key: value.to(parameter.device) for key, value in moments.items()}
            self.data.set_state(start.state["random.data"])
            self.evaluations = [Evaluation(**entry) for entry in start.history]
            self.losses = [float(loss) for loss in start.about["losses"]]
            self.scaler.load_state_dict(start.about["scaler"])
            threads = len(start.state.get("random.replicas", [None]))
            now = len(self.replicas.models) if self.replicas is not None else 1
            if threads != now:
                notify(f"{where} was written with {threads} threads, but now there are {now}: dropout will draw other numbers")
            elif self.replicas is not None:
                self.replicas.set_state(start.state["random.replicas"])
            if ("random.cuda" in start.state) != (self.device.type == "cuda"):
                notify(f"{where} was written on another device than {self.device}: the steps will not be identical")
            states = start.state["random.cpu"]
            if len(states) == self.workers.size:
                torch.set_rng_state(states[self.workers.rank].clone())
                if self.device.type == "cuda" and "random.cuda" in start.state:
                    torch.cuda.set_rng_state(start.state["random.cuda"][self.workers.rank].clone(), self.device)
            else:
                notify(
                    f"{where} was written by {len(states)} processes, but now there are {self.workers.size}: dropout will draw "
                    f"other numbers"
                )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DamagedFileError(
                f"{where}: its training state is incomplete or invalid ({error}): start a new training"
            ) from None
        self.step = start.step

    def best_weights(self, start: Checkpoint | None) -> dict[str, Tensor] | None:
        """The weights of the best evaluation before a resumption: those of `start`, or of the best checkpoint beside it.

        Raises DamagedFileError if that checkpoint belongs to another step or model.
        """
        if start is None or not self.evaluations:
            return None
        if self.best_step() == start.step:
            return clone_of(self.model)
        best = load_checkpoint(start.path.parent / BEST)
        if best.step != self.best_step() or best.config != start.config:
            raise DamagedFileError(
                f"{best.path} is from step {best.step}, but the best step of {start.path.name} is {self.best_step()}: start a "
                f"new training"
            )
        return {name: weight.to(self.device) for name, weight in best.model.state_dict().items()}


def batch_loss(net: nn.Module, inputs: Tensor, targets: Tensor, precision: Precision) -> Tensor:
    """The mean loss, in nats per token, of inputs and targets (B, T)."""
    with arithmetic(inputs.device, precision):
        logits = net(inputs)  # (B, T, V)
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def adamw(model: nn.Module, schedule: LanguageSchedule) -> torch.optim.AdamW:
    """AdamW with weight decay for matrices only, fused if the device of the parameters supports it."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim >= 2], "weight_decay": schedule.weight_decay},
        {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(p.device.type in ("cpu", "cuda", "mps") for p in learning)
    return torch.optim.AdamW(groups, lr=schedule.lr_at(0), betas=schedule.betas, fused=fused)


def clone_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights, which further training does not change."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}
