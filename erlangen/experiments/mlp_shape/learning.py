"""A GPT whose MLPs have a given shape on a text: its losses, its gradients by depth, and how far its loss rises in training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from erlangen.data.corpora import load_corpus
from erlangen.data.corpus import Corpus, window_rows
from erlangen.data.text_file import check_digest
from erlangen.errors import ErlangenError
from erlangen.experiments.mlp_shape.gradients import Gradients, geometric_mean, gradients
from erlangen.experiments.mlp_shape.shapes import build, mlp_of
from erlangen.experiments.mlp_shape.tasks import TEST, VALIDATION, Learn
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import Evaluation, LanguageHistory, LanguageSchedule, fit, part_losses

TALES = 4000
LONGEST_TALE = 256  # characters
LOOKS = 5  # evaluations, at which gradients are measured
SMOOTHED = 10  # steps over which a training loss is averaged before its rise is taken


def learn(task: Learn, job: Job) -> list[Measurement]:
    """Losses and gradients of one net. One whose loss is no longer finite has diverged, and has no losses but a bounded one."""
    corpus = text(task)
    model = build(config_of(task, corpus), task.depth, job.seed, residual=task.residual, start=task.start)
    rows = held_out(corpus, task)
    at_start, in_training, losses = gradients(model, rows), list[Gradients](), list[float]()
    measured = [*cost(model, corpus), *norms("at_start", [at_start])]

    def look(evaluation: Evaluation) -> None:
        in_training.append(gradients(model, rows))

    schedule = LanguageSchedule(
        steps=task.steps, batch=task.batch, lr=task.lr, warmup=task.steps // 10, evaluate_every=max(task.steps // LOOKS, 1),
        evaluation_tokens=None, seed=job.seed,
    )  # fmt: skip
    try:
        history = fit(model, corpus, schedule, on_step=lambda step: losses.append(step.loss), on_evaluation=look)
    except ErlangenError:  # of a schedule that is valid, only because a loss is not finite
        return [*measured, *stability(losses, math.inf, corpus.tokenizer.size)]
    last = history.evaluations[-1].validation_loss
    measured += [*norms("in_training", in_training), *stability(losses, last, corpus.tokenizer.size)]
    return [*measured, *scores(model, corpus, history)]


def text(task: Learn) -> Corpus:
    """The text in three parts; tales one after the other, so that windows of any size have as many tokens as they can hold."""
    check_digest(task.corpus, task.digest)
    block = max(task.block, LONGEST_TALE) if task.corpus == "tales" else task.block
    corpus = load_corpus(task.corpus, block=block, validation=VALIDATION, test=TEST, tales=TALES)
    return replace(corpus, train_starts=None, validation_starts=None, test_starts=None)


def config_of(task: Learn, corpus: Corpus) -> GPTConfig:
    """The net around the MLPs."""
    return GPTConfig(
        vocabulary=corpus.tokenizer.size, block=task.block, layers=task.layers, heads=task.heads, width=task.width, dropout=0.0
    )


def held_out(corpus: Corpus, task: Learn) -> Tensor:
    """The first windows of the validation part, a batch of them: (batch, block + 1)."""
    return window_rows(corpus.validation, torch.arange(task.batch) * task.block, task.block)


def cost(model: GPT, corpus: Corpus) -> list[Measurement]:
    """Parameters, and the loss that a table of pairs of characters reaches."""
    inner = sum(p.numel() for block in model.blocks for p in mlp_of(block).parameters())
    return [
        Measurement("parameters", model.parameter_count()),
        Measurement("mlp_parameters", inner),
        Measurement("pair_loss", pair_loss(corpus), "nats per character"),
    ]


def pair_loss(corpus: Corpus) -> float:
    """Test loss of p(b | a) ∝ 1 + times that b follows a in training."""
    size = corpus.tokenizer.size
    train, test = corpus.train.long(), corpus.test.long()
    pairs = torch.bincount(train[:-1] * size + train[1:], minlength=size * size).view(size, size).double() + 1
    return -float((pairs / pairs.sum(1, keepdim=True)).log()[test[:-1], test[1:]].mean())


def norms(when: str, measured: Sequence[Gradients]) -> list[Measurement]:
    """Gradients by layer and their ratios; geometric means over the times at which they were measured."""
    return [
        Measurement(f"weight_gradients_{when}", over_time([one.weights for one in measured]), "layer by layer"),
        Measurement(f"signal_{when}", over_time([one.signal for one in measured]), "layer by layer"),
        Measurement(f"weight_ratio_{when}", geometric_mean([one.weight_ratio for one in measured]), "first over last layer"),
        Measurement(f"signal_ratio_{when}", geometric_mean([one.signal_ratio for one in measured]), "first over last layer"),
    ]


def over_time(norms: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The geometric mean of each layer's norms."""
    return tuple(geometric_mean(column) for column in zip(*norms, strict=True))


def stability(losses: Sequence[float], last: float, vocabulary: int) -> list[Measurement]:
    """The last validation loss, or that of a uniform guess where this is less or the net diverged; rises of the training loss."""
    uniform = math.log(vocabulary)
    return [
        Measurement("bounded_loss", min(last, uniform), "nats per character"),
        Measurement("largest_rise", largest_rise(losses), "nats per character"),
        Measurement("diverged", int(not math.isfinite(last))),
    ]


def largest_rise(losses: Sequence[float]) -> float:
    """max over t of m_t - min_{s ≤ t} m_s, m the means over SMOOTHED steps that do not overlap; 0 for fewer than two of them."""
    whole = len(losses) // SMOOTHED * SMOOTHED
    means = torch.tensor(losses[:whole], dtype=torch.float64).view(-1, SMOOTHED).mean(1)
    return float((means - means.cummin(0).values).max()) if len(means) else 0.0


def scores(model: GPT, corpus: Corpus, history: LanguageHistory) -> list[Measurement]:
    """Losses of the weights with the least validation loss."""
    return [
        Measurement("best_step", history.best_step),
        Measurement("validation_loss", history.best_loss, "nats per character"),
        Measurement("test_loss", float(part_losses(model, corpus, "test")[0].mean()), "nats per character"),
    ]
