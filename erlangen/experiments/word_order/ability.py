"""What nets that were trained on a puzzle, or on a text, can do, and how much they depend on the order of what they read."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from erlangen.data.corpora import load_corpus
from erlangen.data.corpus import Corpus, random_starts, window_rows
from erlangen.data.text_file import check_digest
from erlangen.experiments.word_order.nets import Reader, built
from erlangen.experiments.word_order.puzzles import LENGTH, PROMPT, VOCABULARY, draw
from erlangen.experiments.word_order.sensitivity import sensitivity
from erlangen.experiments.word_order.tasks import LONGEST_TALE, TEST, VALIDATION, Puzzle, Text
from erlangen.experiments.word_order.training import fit, log_probabilities, schedule_of
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

TEXTS = 32  # whose tokens are put in another order
TALES = 1000
HELD_OUT = 1_000_000  # above every seed of a training: the seeds of validation and test cases begin there


def puzzle(task: Puzzle, job: Job) -> list[Measurement]:
    """Accuracy on new cases, and `right`, the mean probability of the right answer.

    `right` is the accuracy of a net that draws its answers at random from its own probabilities. What no unordered predictor can
    exceed is the same for both.
    """
    seed_everything(job.seed)
    net = built(task, vocabulary=VOCABULARY[task.puzzle], block=LENGTH[task.puzzle])
    held_out, cases = (draw(task.puzzle, task.tests, Generator().manual_seed(HELD_OUT + 2 * job.seed + part)) for part in (0, 1))
    prompts = cases[0][:TEXTS, : PROMPT[task.puzzle]]
    before = order("random", net, prompts, job.seed)
    late, validation = fit(
        net,
        lambda generator: draw(task.puzzle, task.batch, generator),
        schedule_of(task, job.seed),
        lambda: accuracy(log_probabilities(net, *held_out), held_out[1]),
    )
    found = log_probabilities(net, *cases)
    return [
        *before,
        *order("trained", net, prompts, job.seed),
        Measurement("late_accuracy", late, "%"),
        Measurement("validation_accuracy", validation, "%"),
        Measurement("validation_loss", loss(log_probabilities(net, *held_out), held_out[1]), "nats per answer"),
        Measurement("test_accuracy", accuracy(found, cases[1]), "%"),
        Measurement("right", 100 * float(likely(found, cases[1]).exp().mean()), "%"),
    ]


def text(task: Text, job: Job) -> list[Measurement]:
    """The loss of the next character, each with the characters before it in its window."""
    check_digest(task.corpus, task.digest)
    block = max(task.block, LONGEST_TALE) if task.corpus == "tales" else task.block
    corpus = load_corpus(task.corpus, block=block, validation=VALIDATION, test=TEST, tales=TALES)
    seed_everything(job.seed)
    net = built(task, vocabulary=corpus.tokenizer.size, block=task.block)
    held_out, cases = (apart(part, task.block, task.tests) for part in (corpus.validation, corpus.test))
    prompts = alike(corpus.test, task.block)
    before = order("random", net, prompts, job.seed)
    late, validation = fit(
        net,
        lambda generator: drawn(corpus, task, generator),
        schedule_of(task, job.seed),
        lambda: loss(log_probabilities(net, *held_out), held_out[1]),
    )
    return [
        *before,
        *order("trained", net, prompts, job.seed),
        Measurement("validation_loss", validation, "nats per character"),
        Measurement("late_loss", late, "nats per character"),
        Measurement("test_loss", loss(log_probabilities(net, *cases), cases[1]), "nats per character"),
    ]


def order(when: str, net: nn.Module, prompts: Tensor, seed: int) -> list[Measurement]:
    """The sensitivity of a Transformer; a bag has none by construction."""
    return sensitivity(when, net, prompts, seed) if isinstance(net, Reader) else []


def accuracy(found: Tensor, targets: Tensor) -> float:
    """In percent of targets (N, A): how often the likeliest token of log probabilities found (N, A, V) is the right one."""
    return 100 * float((found.argmax(-1) == targets).float().mean())


def likely(found: Tensor, targets: Tensor) -> Tensor:
    """The log probability of each of targets (N, A), of log probabilities found (N, A, V), in float64, (N, A)."""
    return found.gather(-1, targets[..., None])[..., 0].double()


def loss(found: Tensor, targets: Tensor) -> float:
    """Mean of -log p(target), for log probabilities (N, A, V) and targets (N, A)."""
    return -float(likely(found, targets).mean())


def drawn(corpus: Corpus, task: Text, generator: Generator) -> tuple[Tensor, Tensor]:
    """A batch of windows of the training part that begin anywhere, and what follows each of their characters: (B, T) both."""
    rows = window_rows(corpus.train, random_starts(len(corpus.train), task.block, task.batch, generator), task.block)
    return rows[:, :-1], rows[:, 1:]


def apart(part: Tensor, block: int, most: int) -> tuple[Tensor, Tensor]:
    """At most so many windows of a part (n,) that do not overlap, and what follows each of their characters: (N, block) both."""
    rows = window_rows(part, torch.arange(0, len(part) - block, block)[:most], block)
    return rows[:, :-1], rows[:, 1:]


def alike(part: Tensor, block: int) -> Tensor:
    """Windows of a part (n,) that end in its commonest character, evenly over it: (TEXTS, block)."""
    rows = window_rows(part, torch.arange(len(part) - block), block)[:, :-1]
    rows = rows[rows[:, -1] == part.long().bincount().argmax()]
    return rows[torch.linspace(0, len(rows) - 1, min(TEXTS, len(rows))).long()]
