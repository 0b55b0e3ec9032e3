"""Train a language model on random windows, with evaluations, early stopping and resumption.

A resumed training takes bit for bit the steps that it would have taken without the interruption: weights, moments, the order of
the data and every random state are restored (`erlangen.train.resumption`).
"""

from __future__ import annotations

import copy
import hashlib
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from erlangen.data.corpus import Corpus
from erlangen.errors import ErlangenError
from erlangen.models.gpt import GPT
from erlangen.train.checkpoint import BEST, LAST, Checkpoint, save
from erlangen.train.compiling import compiled
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.language_step import Evaluation, Step, Training
from erlangen.train.optimizer import adamw
from erlangen.train.parallel import Workers
from erlangen.train.part_losses import part_losses
from erlangen.train.precision import Precision
from erlangen.train.resumption import best_weights as weights_of_best, clone_of, go_on_from, state
from erlangen.train.sharding import gathered_weights, shard

__all__ = [
    "Evaluation", "LanguageHistory", "LanguageSchedule", "Pace", "Precision", "Step", "Training", "adamw", "check", "fingerprint",
    "fit", "pace", "part_losses",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LanguageHistory:
    """The result of a training.

    evaluations: all of them, including those before a resumption. best_step: the step of the lowest validation loss, 0 if there
    was no evaluation. ended: why the training ended; "asked" means that the caller stopped it.
    """

    evaluations: tuple[Evaluation, ...]
    best_step: int
    best_loss: float
    steps: int
    tokens: int
    ended: Literal["steps", "patience", "asked"]


def fit(
    model: GPT,
    corpus: Corpus,
    schedule: LanguageSchedule,
    *,
    precision: Precision = "float32",
    device: str = "cpu",
    start: Checkpoint | None = None,
    checkpoints: Path | None = None,
    about: Mapping[str, Any] | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    stopping: Callable[[], bool] | None = None,
    compile: bool = False,
    capture: bool = True,
    sharded: bool = False,
    notify: Callable[[str], None] = lambda line: None,
    workers: Workers = Workers(),  # noqa: B008  (frozen)
) -> LanguageHistory:
    """Train `model` in place on windows of its block; leave it, in eval mode, with the weights of its best evaluation.

    start: a `last` checkpoint to resume from; its weights replace the model's. checkpoints: a folder in which `last` is written
    at every evaluation and at the end, and `best` when the validation loss improves; `about` is stored in both. stopping: called
    after each step; if it returns True, a checkpoint is saved and training ends. schedule.seed sets torch's global random state.
    capture: whether to make each step by a CUDA graph where that is possible (`erlangen.train.captured_step`). sharded: divide
    weights, gradients and moments among the processes (`erlangen.train.sharding`); the model then stays divided.
    Raises ErlangenError if a loss is not finite, or if a checkpoint belongs to another training or cannot be written.
    """
    check(schedule, precision, device, workers, sharded)
    if sharded:
        shard(model, torch.device(device))
    else:
        model.to(device)
    training = Training(model, corpus, schedule, precision, device, workers)
    facts = {**(about or {}), "precision": precision, "workers": workers.size}
    if start is not None or checkpoints is not None:
        facts |= {"corpus": corpus.name, "corpus_sha256": fingerprint(corpus)}
    if start is not None:
        go_on_from(training, start, facts["corpus_sha256"], notify)
    best_weights = weights_of_best(training, start)
    net = model if sharded else workers.wrapped(model)
    if compile:
        net = compiled(net, training, notify)
    if capture:
        training.capture(net, notify)
    ended: Literal["steps", "patience", "asked"] = "steps"

    def keep(name: str, step: int, tensors: Mapping[str, Tensor] | None, more: Mapping[str, Any]) -> None:
        if checkpoints is None:
            return
        weights = gathered_weights(model, keep=workers.rank == 0) if sharded else None
        if workers.rank == 0:
            history = [evaluation._asdict() for evaluation in training.evaluations]
            about = {**facts, "schedule": asdict(schedule), **more}
            path = checkpoints / name
            save(path, model, corpus.tokenizer, step=step, history=history, about=about, state=tensors, weights=weights)

    if start is not None and training.best_step() == start.step:  # the run may have been killed between writing last and best
        keep(BEST, training.step, None, {})
    while training.step < schedule.steps and not training.out_of_patience():
        model.train()
        training.update(net)
        training.read(on_step, force=False)
        at_end = training.step == schedule.steps
        if training.step % schedule.evaluate_every == 0 or at_end:
            training.read(on_step)
            evaluation = training.evaluate()
            better = training.best_step() == training.step
            keep(LAST, training.step, *state(training))
            if better:
                best_weights = clone_of(model)
                keep(BEST, training.step, None, {})
            if on_evaluation is not None:
                on_evaluation(evaluation)
        if stopping is not None and workers.any(stopping()) and not at_end:
            training.read(on_step)
            keep(LAST, training.step, *state(training))
            ended = "asked"
            break
    if ended == "steps" and training.step < schedule.steps:
        ended = "patience"
    if best_weights is not None:
        model.load_state_dict(best_weights)
    model.eval()
    return LanguageHistory(
        evaluations=tuple(training.evaluations),
        best_step=training.best_step(),
        best_loss=min((evaluation.validation_loss for evaluation in training.evaluations), default=math.inf),
        steps=training.step,
        tokens=training.step * schedule.batch * model.config.block,
        ended=ended,
    )


class Pace(NamedTuple):
    """Seconds that an update and an evaluation take on this machine."""

    update: float
    evaluation: float


def pace(
    model: GPT,
    corpus: Corpus,
    schedule: LanguageSchedule,
    precision: Precision,
    device: str,
    workers: Workers = Workers(),  # noqa: B008
    updates: int = 12,
    limit: float = math.inf,
    capture: bool = True,
) -> Pace:
    """Measure the pace of a training on a copy of the model; the model and the random states are not changed.

    The first three updates are not counted; the pace is the median of the next `updates`. limit: seconds after which no further
    update begins; if there were fewer than four, the last one is used. capture: as in `fit`; capturing takes no part of the pace.
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device.startswith("cuda") else []):
        training = Training(copy.deepcopy(model).to(device).train(), corpus, schedule, precision, device, workers)
        if capture:
            training.capture(training.model)
        seconds: list[float] = []
        while len(seconds) < 3 + updates and workers.first(sum(seconds)) < limit:
            before = time.perf_counter()
            training.update(training.model)
            training.read(None)
            seconds.append(time.perf_counter() - before)
        before = time.perf_counter()
        training.evaluate()
        measured = Pace(statistics.median(seconds[3:] or seconds[-1:]), time.perf_counter() - before)
    return Pace(*(workers.first(value) for value in measured))


def check(
    schedule: LanguageSchedule,
    precision: str,
    device: str,
    workers: Workers = Workers(),  # noqa: B008
    sharded: bool = False,
) -> None:
    """Raise ErlangenError if the schedule, the precision, the device and the processes cannot be combined."""
    if precision not in get_args(Precision):
        raise ErlangenError(f"--precision {precision}: choose one of {', '.join(get_args(Precision))}")
    if precision in ("tf32", "float16") and not device.startswith("cuda"):
        raise ErlangenError(
            f"--precision {precision}: training in {precision} needs a CUDA device, not {device}: use bfloat16 or float32"
        )
    if sharded and workers.size == 1:
        raise ErlangenError("--shard divides a model among processes: start several with torchrun --nproc-per-node N")
    if sharded and precision == "float16":
        raise ErlangenError("--shard: the scaler of float16 does not work on divided gradients: use bfloat16")
    share = workers.size * schedule.accumulate
    if schedule.batch % share:
        raise ErlangenError(
            f"--batch {schedule.batch} is not a multiple of {workers.size} processes × {schedule.accumulate} slices: choose a "
            f"multiple of {share}"
        )


def fingerprint(corpus: Corpus) -> str:
    """The SHA-256, in hex, of the tokens of all parts."""
    total = hashlib.sha256()
    for part in (corpus.train, corpus.validation, corpus.test):
        total.update(f"{part.dtype} {len(part)}\n".encode())
        total.update(part.contiguous().view(torch.uint8).numpy().data)
    return total.hexdigest()
