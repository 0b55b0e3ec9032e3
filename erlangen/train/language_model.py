"""Train a language model: windows drawn at random, evaluations on the way, early stopping, and a training that can be resumed.

A resumed training makes bit for bit the steps that it would have made: weights, moments, the order of the data and every random
state go on where they were (`erlangen.train.language_step`).
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
from torch import Tensor, nn

from erlangen.data.corpus import Corpus
from erlangen.errors import ErlangenError
from erlangen.models.gpt import GPT
from erlangen.train.checkpoint import BEST, LAST, Checkpoint, save
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.language_step import (
    Evaluation,
    Step,
    Training,
    adamw,
    batch_loss,
    clone_of,
)
from erlangen.train.parallel import Workers
from erlangen.train.part_losses import Precision, part_losses

__all__ = [
    "Evaluation", "LanguageHistory", "LanguageSchedule", "Pace", "Precision", "Step", "Training", "adamw", "check", "fingerprint",
    "fit", "pace", "part_losses",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LanguageHistory:
    """evaluations: those before a resumption too. best_step: of the least validation loss, 0 without any. ended: by what."""

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
    notify: Callable[[str], None] = lambda line: None,
    workers: Workers = Workers(),  # noqa: B008  (frozen)
) -> LanguageHistory:
    """Train `model` in place on windows of its block; leave it, in eval mode, with the weights of its best evaluation.

    start: a `last` checkpoint to go on from; its weights replace the model's. checkpoints: a folder that gets `last` (at every
    evaluation, and at the end) and `best`; `about` is put into both. stopping: asked after each step; yes saves and ends. The
    global random state of torch is set by schedule.seed. Raises ErlangenError where a loss is not finite, where a checkpoint
    is of another training, or cannot be written.
    """
    check(schedule, precision, device, workers)
    model.to(device)
    training = Training(model, corpus, schedule, precision, device, workers)
    facts = {**(about or {}), "precision": precision, "workers": workers.size}
    if start is not None or checkpoints is not None:
        facts |= {"corpus": corpus.name, "corpus_sha256": fingerprint(corpus)}
    if start is not None:
        training.go_on_from(start, facts["corpus_sha256"], notify)
    best_weights = training.best_weights(start)
    net = workers.wrapped(model)
    if compile:
        net = _compiled(net, training, notify)
    ended: Literal["steps", "patience", "asked"] = "steps"

    def keep(name: str, step: int, state: Mapping[str, Tensor] | None, more: Mapping[str, Any]) -> None:
        if checkpoints is not None and workers.rank == 0:
            history = [one._asdict() for one in training.evaluations]
            about = {**facts, "schedule": asdict(schedule), **more}
            save(checkpoints / name, model, corpus.tokenizer, step=step, history=history, about=about, state=state)

    if start is not None and training.best_step() == start.step:  # killed after `last`, before `best`
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
            keep(LAST, training.step, *training.state())
            if better:
                best_weights = clone_of(model)
                keep(BEST, training.step, None, {})
            if on_evaluation is not None:
                on_evaluation(evaluation)
        if stopping is not None and workers.any(stopping()) and not at_end:
            training.read(on_step)
            keep(LAST, training.step, *training.state())
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
        best_loss=min((one.validation_loss for one in training.evaluations), default=math.inf),
        steps=training.step,
        tokens=training.step * schedule.batch * model.config.block,
        ended=ended,
    )


class Pace(NamedTuple):
    """Seconds that an update and an evaluation take here."""

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
) -> Pace:
    """Measured on a copy in some updates after three; the model and the random states stay as they are.

    limit: seconds after which no further update begins; of fewer than four the last is taken.
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device.startswith("cuda") else []):
        training = Training(copy.deepcopy(model).to(device).train(), corpus, schedule, precision, device, workers)
        seconds: list[float] = []
        while len(seconds) < 3 + updates and workers.first(sum(seconds)) < limit:
            before = time.perf_counter()
            training.update(training.model)
            training.read(None)
            seconds.append(time.perf_counter() - before)
        before = time.perf_counter()
        training.evaluate()
        found = Pace(statistics.median(seconds[3:] or seconds[-1:]), time.perf_counter() - before)
    return Pace(*(workers.first(value) for value in found))


def check(schedule: LanguageSchedule, precision: str, device: str, workers: Workers = Workers()) -> None:  # noqa: B008
    """Raise ErlangenError for what cannot be trained so."""
    if precision not in get_args(Precision):
        raise ErlangenError(f"--precision {precision}: choose {', '.join(get_args(Precision))}")
    if precision == "float16" and not device.startswith("cuda"):
        raise ErlangenError(f"--precision float16: {device} has no fast float16 products with a scaler; use bfloat16 or float32")
    share = workers.size * schedule.accumulate
    if schedule.batch % share:
        raise ErlangenError(f"--batch {schedule.batch}: no multiple of {workers.size} processes × {schedule.accumulate} slices")


def fingerprint(corpus: Corpus) -> str:
    """SHA-256, in hex, of the tokens of all parts."""
    total = hashlib.sha256()
    for part in (corpus.train, corpus.validation, corpus.test):
        total.update(f"{part.dtype} {len(part)}\n".encode())
        total.update(part.contiguous().view(torch.uint8).numpy().data)
    return total.hexdigest()


def _compiled(net: nn.Module, training: Training, notify: Callable[[str], None]) -> nn.Module:
    """The net compiled for windows of this training; itself where that fails. Takes no batch, draws nothing that counts."""
    compiled: nn.Module = torch.compile(net)  # type: ignore[assignment]
    rows = training.schedule.batch // training.workers.size // training.schedule.accumulate
    tokens = torch.zeros(rows, training.model.config.block, dtype=torch.int64, device=training.device)
    cuda = range(torch.cuda.device_count()) if training.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            training.model.train()
            batch_loss(compiled, tokens, tokens, training.precision).backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # a compiler that is missing or fails has many names
        first = (str(error).splitlines() or [type(error).__name__])[0]
        notify(f"--compile: not possible here ({first[:120]}); training without")
        compiled = net
    training.optimizer.zero_grad(set_to_none=True)
    return compiled
