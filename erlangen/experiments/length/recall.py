"""Registers: nets trained on windows of one chunk, tested on the answers of an episode's last chunk at every length.

At length L a net reads an episode's last L tokens. The answers are the same at every L. A *near* one was set in the last chunk,
which every L includes. A *far* one was set more than a trained length before, at a place that only some L include.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from erlangen.data.registers import LENGTH, VOCABULARY, Registers, registers
from erlangen.experiments.length.nets import new_net, reading, train
from erlangen.experiments.length.tasks import BLOCK, LONGEST, MULTIPLES, READINGS, TUNED, Recall
from erlangen.models.gpt import GPT
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

TRAINING, TUNING = 10_000, 20_000  # added to the seeds of the episodes that nets learn from: never those of the test
SOME = 32  # episodes that a net reads at once


def recall(task: Recall, job: Job) -> list[Measurement]:
    """The loss of near and of far answers at each length, for every way in which the net can read it."""
    seed_everything(job.seed)
    net = new_net(VOCABULARY, task.arm, BLOCK, task.layers, task.width)
    learn(net, registers(learned(task), TRAINING + job.seed), task, BLOCK, task.steps, job.seed)
    test = registers(task.episodes, job.seed, far=True)
    measured = []
    for how in READINGS[task.arm]:
        measured += losses(how, [reading(net, how, BLOCK * multiple) for multiple in MULTIPLES], test)
    if task.arm == "rotary" and task.tuning:
        tuned = reading(net, "linear", LONGEST)
        short = replace(task, batch=max(1, task.batch // MULTIPLES[-1]), lr=task.lr / 2)  # as many tokens in each update
        learn(tuned, registers(TUNING // 10, TUNING + job.seed, far=True), short, LONGEST - 1, task.tuning, job.seed)
        measured += losses(TUNED, [tuned] * len(MULTIPLES), test)
    return measured


def learned(task: Recall) -> int:
    """Episodes to train on: windows enough for a net to see hardly any text twice."""
    return max(64, task.steps * task.batch * BLOCK // LENGTH)


def learn(net: GPT, episodes: Registers, task: Recall, length: int, steps: int, seed: int) -> None:
    """Train on random windows, cut anywhere, so that a slot may begin at any position."""
    draws = Generator().manual_seed(seed)
    train(net, lambda net, step: answer_loss(net, *windows(episodes, task.batch, length, draws)).mean(), steps, task.lr)


def windows(episodes: Registers, batch: int, length: int, draws: Generator) -> tuple[Tensor, Tensor]:
    """Random windows of length + 1 tokens (B, T + 1), and which of the first T are asks (B, T)."""
    rows = torch.randint(len(episodes.tokens), (batch,), generator=draws)[:, None]
    starts = torch.randint(LENGTH - length, (batch,), generator=draws)[:, None]
    at = starts + torch.arange(length + 1)
    return episodes.tokens[rows, at], episodes.asks()[rows, at[:, :-1]]


def answer_loss(net: GPT, rows: Tensor, asks: Tensor) -> Tensor:
    """-log p of the token after each ask, in nats: rows (B, T + 1), asks (B, T) -> (asks,)."""
    asked = net.states(rows[:, :-1])[-1][asks]  # (asks, width)
    return F.cross_entropy(net.unembed(asked), rows[:, 1:][asks], reduction="none")


def targets(test: Registers) -> dict[str, Tensor]:
    """Which tokens are near and which far asks of the last chunk, (n, LENGTH - 1) each."""
    place = torch.arange(LENGTH - 1)
    source, last = test.source[:, :-1], place >= LENGTH - BLOCK
    return {"near": last & (source >= LENGTH - BLOCK), "far": last & (source >= 0) & (place - source > BLOCK)}


@torch.no_grad()
def losses(how: str, nets: list[GPT], test: Registers) -> list[Measurement]:
    """Mean loss over the near and over the far answers, with a net for each length."""
    found: dict[str, list[float]] = {kind: [] for kind in targets(test)}
    for net, multiple in zip(nets, MULTIPLES, strict=True):
        length = BLOCK * multiple
        each = torch.cat(list(answers(net, test, length)))  # (n, BLOCK - 1): of every token of the last chunk
        for kind, chosen in targets(test).items():
            found[kind].append(float(each[chosen[:, -(BLOCK - 1) :]].mean()))
    return [Measurement(f"{how} {kind}", tuple(values), "nats per answer") for kind, values in found.items()]


def answers(net: GPT, test: Registers, length: int) -> Iterator[Tensor]:
    """The loss of each token of the last chunk but its first, given the last `length` tokens up to it: (some, BLOCK - 1)."""
    for rows in torch.split(test.tokens[:, -length:], SOME):
        logits = net.unembed(net.states(rows[:, :-1])[-1][:, -(BLOCK - 1) :])  # (some, BLOCK - 1, V)
        yield F.cross_entropy(logits.transpose(1, 2), rows[:, -(BLOCK - 1) :], reduction="none")
