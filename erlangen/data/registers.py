"""A generated text in which values are stored and asked for again: what a model remembers, over exactly known distances.

    [set j v, filler]     variable j holds the value v from here on
    [ask j, v]            the answer v is what a model must predict
    [filler, filler]

An episode has 8 chunks of 64 tokens. In each chunk 7 variables are set and 7 are asked, at random places. No variable is set
twice or asked twice in an episode. Most answers were set in the same chunk: they are *near*. A *far* one was set at least one
whole chunk before, so more than 64 tokens ago, and a window of 64 tokens knows nothing of it: whatever reads it from there has a
loss of ln 4 at least. Where an episode has far answers, some chunks ask for variables that were never set, so that every chunk
has as many asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

CHUNK, CHUNKS = 64, 8
LENGTH = CHUNK * CHUNKS  # tokens of an episode
SLOTS = CHUNK // 2
SETS = 7  # in each chunk, and as many asks
FILLERS, VALUES, VARIABLES = 16, 4, 64
FIRST_VALUE = FILLERS
FIRST_ASK = FIRST_VALUE + VALUES
FIRST_SET = FIRST_ASK + VARIABLES
VOCABULARY = FIRST_SET + VARIABLES * VALUES
CHANCE = math.log(VALUES)
"""The loss, in nats, of an answer about which nothing is known."""
FAR = (0, 0, 1, 1, 1, 1, 1, 3)  # far asks in each chunk; the last has most, because it is what models are tested on


@dataclass(frozen=True)
class Registers:
    """Episodes. tokens (n, LENGTH) int64. source (n, LENGTH) int64: of each ask, the position at which its variable was set, -1
    where it never was; of all other tokens -2. The answer is the token after the ask.
    """

    tokens: Tensor
    source: Tensor

    def asks(self) -> Tensor:
        """Whether each token is an ask, (n, LENGTH)."""
        return self.source > -2


def registers(episodes: int, seed: int, *, far: bool = False) -> Registers:
    """So many independent episodes, with near answers alone or with far ones among them."""
    rng = np.random.default_rng(seed)
    if not far:
        return written(np.full((episodes, CHUNKS, SETS), -1), rng)
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < episodes:
        drawn = far_chunks(2 * episodes + 16, rng)  # (m, CHUNKS, SETS)
        kept.append(drawn[possible(drawn)])
    return written(np.concatenate(kept)[:episodes], rng)


def far_chunks(n: int, rng: np.random.Generator) -> np.ndarray:
    """The chunk in which each ask of a chunk was set, where it is far, else -1: (n, CHUNKS, SETS)."""
    chunks = np.full((n, CHUNKS, SETS), -1)
    for chunk, count in enumerate(FAR):
        if count:
            chunks[:, chunk, :count] = rng.integers(0, chunk - 1, (n, count))  # not the chunk before: it may be near
    return chunks


def left(chunks: np.ndarray) -> np.ndarray:
    """How many variables of each chunk are asked in a later one, (n, CHUNKS)."""
    return np.stack([(chunks == chunk).sum((1, 2)) for chunk in range(CHUNKS)], 1)


def possible(chunks: np.ndarray) -> np.ndarray:
    """Which episodes have variables enough: to be asked later, and never set to be asked in their place, (n,)."""
    leaving = left(chunks)
    unset = np.maximum(leaving - np.array(FAR), 0).sum(1)
    enough: np.ndarray = (leaving.max(1) <= SETS) & (unset <= VARIABLES - SETS * CHUNKS)
    return enough


def set_of_each_ask(chunks: np.ndarray) -> np.ndarray:
    """Which of an episode's 56 sets each ask is about, -1 where its variable was never set: (n, CHUNKS · SETS).

    The first sets of a chunk are those asked in later chunks, in their order; the next ones are asked in the chunk itself.
    """
    leaving = left(chunks)  # (n, CHUNKS)
    near = chunks < 0
    own = leaving[:, :, None] + np.cumsum(near, 2) - 1  # (n, CHUNKS, SETS)
    first = SETS * np.arange(CHUNKS)[:, None]
    sets = np.where(near & (own < SETS), first + own, -1).reshape(len(chunks), -1)
    flat = chunks.reshape(len(chunks), -1)
    for chunk in range(CHUNKS):
        asked = flat == chunk
        sets[asked] = (SETS * chunk + np.cumsum(asked, 1) - 1)[asked]
    return sets


def places(sets: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the sets and of the asks, (n, CHUNKS · SETS) each: random slots, no ask before its own set."""
    n = len(sets)
    time = rng.random((n, CHUNKS * SETS))
    same = (sets >= 0) & (sets // SETS == np.arange(CHUNKS * SETS) // SETS)
    after = np.where(same, np.take_along_axis(time, np.maximum(sets, 0), 1), 0.0)
    asked = after + (1 - after) * (1 - rng.random((n, CHUNKS * SETS)))
    times = np.concatenate([time.reshape(n, CHUNKS, SETS), asked.reshape(n, CHUNKS, SETS)], 2)  # (n, CHUNKS, 2 SETS)
    rank = times.argsort(2, kind="stable").argsort(2)
    slots = np.sort(rng.random((n, CHUNKS, SLOTS)).argsort(2)[:, :, : 2 * SETS], 2)
    at = CHUNK * np.arange(CHUNKS)[:, None] + 2 * np.take_along_axis(slots, rank, 2)
    return at[:, :, :SETS].reshape(n, -1), at[:, :, SETS:].reshape(n, -1)


def written(chunks: np.ndarray, rng: np.random.Generator) -> Registers:
    """The episodes in which each ask has its set in the chunk that `chunks` names."""
    n, rows = len(chunks), np.arange(len(chunks))[:, None]
    sets = set_of_each_ask(chunks)
    set_at, ask_at = places(sets, rng)
    names = rng.permuted(np.tile(np.arange(VARIABLES), (n, 1)), axis=1)  # (n, VARIABLES)
    values = rng.integers(0, VALUES, (n, CHUNKS * SETS))
    unset = SETS * CHUNKS - 1 + np.cumsum(sets < 0, 1)  # the next name that no set has
    asked = np.take_along_axis(names, np.where(sets < 0, unset, sets), 1)
    known = np.take_along_axis(values, np.maximum(sets, 0), 1)
    answers = np.where(sets < 0, rng.integers(0, VALUES, sets.shape), known)
    tokens = rng.integers(0, FILLERS, (n, LENGTH))
    tokens[rows, set_at] = FIRST_SET + VALUES * names[:, : CHUNKS * SETS] + values
    tokens[rows, ask_at] = FIRST_ASK + asked
    tokens[rows, ask_at + 1] = FIRST_VALUE + answers
    source = np.full((n, LENGTH), -2)
    source[rows, ask_at] = np.where(sets < 0, -1, np.take_along_axis(set_at, np.maximum(sets, 0), 1))
    return Registers(torch.from_numpy(tokens), torch.from_numpy(source))
