"""A text, character by character: the loss of the same characters at every length, and on rows of a table used often or never."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpora import load_corpus
from erlangen.data.tales import tales
from erlangen.data.text_file import check_digest
from erlangen.experiments.length.nets import new_net, reading, states_at, train
from erlangen.experiments.length.tasks import (
    BLOCK,
    LONGEST,
    MULTIPLES,
    READINGS,
    SEGMENTS,
    TARGETS,
    TEST,
    TUNED,
    VALIDATION,
    Read,
    Shift,
)
from erlangen.models.gpt import GPT
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

TALES = 4000, 600  # to train on, to test on
SOME = 32  # passages that a net reads at once


class Text(NamedTuple):
    """The number of different characters, and the two parts as tokens (n,) int64."""

    vocabulary: int
    train: Tensor
    test: Tensor


def text_of(task: Read | Shift) -> Text:
    """The text of a task. Raises DataError where it cannot be had, is too short, or has changed since the job was planned."""
    if task.corpus == "tales":
        parts = [tales(number, seed) for seed, number in enumerate(TALES)]
        tokenizer = CharacterTokenizer.of("".join(parts))
        return Text(tokenizer.size, *(tokenizer.encode(part) for part in parts))
    check_digest(task.corpus, task.digest)
    corpus = load_corpus(task.corpus, block=LONGEST, validation=VALIDATION, test=TEST)
    return Text(corpus.tokenizer.size, corpus.train.long(), corpus.test.long())


def read(task: Read, job: Job) -> list[Measurement]:
    """The loss at each length, for every way in which the net can read it."""
    text = text_of(task)
    seed_everything(job.seed)
    net = new_net(text.vocabulary, task.arm, BLOCK, task.layers, task.width)
    learn(net, text.train, task.batch, BLOCK, task.steps, task.lr, job.seed)
    passages = passages_of(text.test, task.passages)
    measured = [
        losses(how, [reading(net, how, BLOCK * multiple) for multiple in MULTIPLES], passages) for how in READINGS[task.arm]
    ]
    if task.arm == "rotary" and task.tuning:
        tuned = reading(net, "linear", LONGEST)
        batch = max(1, task.batch // MULTIPLES[-1])  # as many characters in each update
        learn(tuned, text.train, batch, LONGEST, task.tuning, task.lr / 2, job.seed)
        measured.append(losses(TUNED, [tuned] * len(MULTIPLES), passages))
    return measured


def learn(net: GPT, tokens: Tensor, batch: int, length: int, steps: int, lr: float, seed: int) -> None:
    """Train on random windows."""
    draws = Generator().manual_seed(seed)
    train(net, lambda net, step: window_loss(net, windows(tokens, batch, length, draws)), steps, lr)


def windows(tokens: Tensor, batch: int, length: int, draws: Generator) -> Tensor:
    """Random windows of length + 1 tokens, (B, T + 1)."""
    starts = torch.randint(len(tokens) - length, (batch,), generator=draws)
    return tokens.unfold(0, length + 1, 1)[starts]


def window_loss(net: GPT, rows: Tensor, start: int = 0) -> Tensor:
    """The mean loss of rows (B, T + 1) whose first token has position `start`, in nats."""
    logits = net.unembed(states_at(net, rows[:, :-1], start))
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def passages_of(tokens: Tensor, passages: int) -> Tensor:
    """Passages at equal distances whose last characters do not overlap, (n, LONGEST + 1)."""
    starts = torch.linspace(0, len(tokens) - LONGEST - 1, passages).long()
    return tokens.unfold(0, LONGEST + 1, 1)[starts]


@torch.no_grad()
def losses(how: str, nets: list[GPT], passages: Tensor) -> Measurement:
    """The mean loss of the last characters of each passage, with a net for each length."""
    found = []
    for net, multiple in zip(nets, MULTIPLES, strict=True):
        rows = passages[:, -(BLOCK * multiple + 1) :]
        found.append(float(torch.cat([last_losses(net, some) for some in torch.split(rows, SOME)]).mean()))
    return Measurement(f"{how} loss", tuple(found), "nats per character")


def last_losses(net: GPT, rows: Tensor, start: int = 0) -> Tensor:
    """-log p of the last characters of rows (B, T + 1), in nats: (B, TARGETS)."""
    logits = net.unembed(states_at(net, rows[:, :-1], start)[:, -TARGETS:])
    return F.cross_entropy(logits.transpose(1, 2), rows[:, -TARGETS:], reduction="none")


def shift(task: Shift, job: Job) -> list[Measurement]:
    """The loss of the same windows, read on rows of the table that training used often, rarely and never."""
    text = text_of(task)
    seed_everything(job.seed)
    net = new_net(text.vocabulary, "absolute", BLOCK, task.layers, task.width, rows=BLOCK * len(SEGMENTS))
    draws = Generator().manual_seed(job.seed)

    def loss(net: GPT, step: int) -> Tensor:
        rarely = step % task.rarely == task.rarely - 1
        return window_loss(net, windows(text.train, task.batch, BLOCK, draws), BLOCK if rarely else 0)

    train(net, loss, task.steps, task.lr)
    rows = passages_of(text.test, task.passages)[:, -(BLOCK + 1) :]
    with torch.no_grad():
        found = [float(last_losses(net, rows, BLOCK * segment).mean()) for segment in range(len(SEGMENTS))]
    return [Measurement("loss by rows", tuple(found), "nats per character")]
