"""Syntax: whether a net prefers a tale to the same tale made ungrammatical, as the grammar of the tales decides.

A net reads the last TALE_BLOCK characters, in which the change lies. Two ways to break a tale keep its length. *order*: two
neighboring words are swapped. *agreement*: one of two mentions is replaced by another word of its kind, "swapped a lamp for a
pig, the cow for ...". A net prefers the text to which it gives the higher probability. Without any syntax it is right half of the
time.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.tales import END, SLOTS, is_grammatical, tales
from erlangen.experiments.length.nets import new_net, train
from erlangen.experiments.length.tasks import TALE_BLOCK, Contrast
from erlangen.experiments.length.text import window_loss, windows
from erlangen.models.gpt import GPT
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

TEST = 50_000  # added to the seeds of the tales that nets are tested on: never those that they learn from
VALIDATION = 90_000
TRIES = 50
WORD = re.compile(r"[A-Za-z]+")
SOME = 16  # texts that a net reads at once


class Pair(NamedTuple):
    """The end of a tale, TALE_BLOCK characters, and of the same tale made ungrammatical."""

    tale: str
    broken: str


def contrast(task: Contrast, job: Job) -> list[Measurement]:
    """The share of pairs of each kind in which the net prefers the tale, and its loss on other tales."""
    told = tales(max(2000, task.steps * task.batch * TALE_BLOCK // 180), job.seed)  # as much as is read: none is learned by heart
    tokenizer = CharacterTokenizer.of(told)
    tokens = tokenizer.encode(told)
    seed_everything(job.seed)
    net = new_net(tokenizer.size, task.arm, TALE_BLOCK, task.layers, task.width)
    pairs = {kind: broken_pairs(kind, task.pairs, TEST + job.seed) for kind in ("order", "agreement")}
    draws = Generator().manual_seed(job.seed)
    train(net, lambda net, step: window_loss(net, windows(tokens, task.batch, TALE_BLOCK, draws)), task.steps, task.lr)
    measured = preferences(net, tokenizer, pairs)
    for name, seed in (("validation_loss", VALIDATION), ("test_loss", TEST)):
        measured.append(Measurement(name, loss_of(net, tokenizer, tales(200, seed + job.seed)), "nats per character"))
    return measured


def broken_pairs(kind: str, count: int, seed: int) -> list[Pair]:
    """So many tales, and what one change makes of each."""
    rng = random.Random(seed)
    pairs: list[Pair] = []
    for tale in tales(4 * count, seed).split(END)[:-1]:
        if len(pairs) < count and (broken := break_tale(kind, tale, rng)):
            pairs.append(Pair((tale + END)[-TALE_BLOCK:], (broken + END)[-TALE_BLOCK:]))
    return pairs


def break_tale(kind: str, tale: str, rng: random.Random) -> str:
    """The tale with one change after which the grammar refuses it, of the same length; '' where none of some tries does."""
    for _ in range(TRIES):
        broken = swap(tale, rng) if kind == "order" else replace_word(tale, rng)
        if broken != tale and not is_grammatical(broken):
            return broken
    return ""


def words_of(tale: str) -> list[re.Match[str]]:
    """The words that the end of the tale shows, but for the first, which may be cut."""
    return list(WORD.finditer(tale, max(0, len(tale) + 1 - TALE_BLOCK)))[1:]


def swap(tale: str, rng: random.Random) -> str:
    """The tale with two neighboring words swapped; what stands between and around them stays."""
    words = words_of(tale)
    at = rng.randrange(len(words) - 1)
    left, right = words[at], words[at + 1]
    return tale[: left.start()] + right[0] + tale[left.end() : right.start()] + left[0] + tale[right.end() :]


def replace_word(tale: str, rng: random.Random) -> str:
    """The tale with one of the words that come twice replaced by another of its kind and length; itself where there is none."""
    words = words_of(tale)
    counts = Counter(word[0] for word in words)
    twice = [word for word in words if counts[word[0]] > 1 and substitutes(word[0])]
    if not twice:
        return tale
    word = rng.choice(twice)
    return tale[: word.start()] + rng.choice(substitutes(word[0])) + tale[word.end() :]


def substitutes(word: str) -> list[str]:
    """The other words of its kind, of the same length."""
    return sorted({other for kind in kinds() if word in kind for other in kind if len(other) == len(word)} - {word})


@cache
def kinds() -> tuple[frozenset[str], ...]:
    """The words that can stand for each other where the grammar lets them: one form of all entries of a slot."""
    forms = {(slot, form) for slot, entries in SLOTS.items() for _, entry in entries for form in entry}
    return tuple(frozenset(entry[form] for _, entry in SLOTS[slot]) for slot, form in sorted(forms))


def preferences(net: GPT, tokenizer: CharacterTokenizer, pairs: dict[str, list[Pair]]) -> list[Measurement]:
    """The share of pairs, in percent, in which the net gives the tale a higher probability than what was made of it."""
    measured = []
    for kind, some in pairs.items():
        whole, broken = (log_probabilities(net, tokenizer, [getattr(pair, text) for pair in some]) for text in ("tale", "broken"))
        right = (whole > broken).double().mean() + (whole == broken).double().mean() / 2
        measured.append(Measurement(kind, 100 * float(right), "%"))
    return measured


@torch.no_grad()
def log_probabilities(net: GPT, tokenizer: CharacterTokenizer, texts: list[str]) -> Tensor:
    """log p of each text of TALE_BLOCK characters but its first, (texts,) in nats."""
    rows = torch.stack([tokenizer.encode(text) for text in texts])  # (n, TALE_BLOCK)
    found = [
        F.cross_entropy(net(some[:, :-1]).transpose(1, 2), some[:, 1:], reduction="none").double().sum(1)
        for some in torch.split(rows, SOME)
    ]
    return -torch.cat(found)


@torch.no_grad()
def loss_of(net: GPT, tokenizer: CharacterTokenizer, told: str) -> float:
    """The mean loss over windows of tales, in nats per character."""
    tokens = tokenizer.encode(told)
    rows = tokens.unfold(0, TALE_BLOCK + 1, TALE_BLOCK)
    return float(window_loss(net, rows))
