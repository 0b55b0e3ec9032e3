"""The tasks of `length`. A text is named by `corpus`, and by the `digest` of its file or ''."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Arm: TypeAlias = Literal["rotary", "alibi", "none", "absolute"]
ARMS: tuple[Arm, ...] = ("rotary", "alibi", "none", "absolute")
Reading: TypeAlias = Literal["plain", "linear", "ntk", "clamped", "interpolated"]
READINGS: dict[Arm, tuple[Reading, ...]] = {  # how a net that was not trained on longer texts reads them
    "rotary": ("plain", "linear", "ntk"),
    "alibi": ("plain",),
    "none": ("plain",),
    "absolute": ("clamped", "interpolated"),
}
TUNED = "tuned"  # linear, trained a little on long texts: the reading that must reach
BLOCK = 64  # tokens that nets are trained on
MULTIPLES = (1, 2, 4, 8)  # of the trained length, at which they are tested
LONGEST = BLOCK * MULTIPLES[-1]
CHANCE = math.log(4)  # nats: the loss of an answer on registers of which nothing is known
TARGETS = 32  # characters at the end of a passage on which a text's loss is taken, so that each has half a block before it
VALIDATION, TEST = 0.02, 0.15  # shares of a text
SEGMENTS = ("trained", "rare", "unseen")  # of a table of positions, BLOCK rows each
LENGTHS = (BLOCK // 2, BLOCK, BLOCK + 1, 2 * BLOCK, 4 * BLOCK, LONGEST)  # at which a net of BLOCK tokens is asked for an answer
SYNTAX: tuple[Arm, ...] = ("absolute", "rotary", "alibi")  # compared on tales
RELATIVE: tuple[Arm, ...] = ("rotary", "alibi")
MODELS = ("gpt-nano", "gpt-micro", "gpt-mini", "gopher-44m", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")  # of the lab
TALE_BLOCK = 128  # characters, most of a tale


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether a net answers at all at each of these lengths, by its positions."""

    block: int
    lengths: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Train a net on registers, then test every reading at each length. tuning: more updates of rotary nets, on long episodes."""

    arm: Arm
    layers: int
    width: int
    batch: int
    lr: float
    steps: int
    tuning: int
    episodes: int


@dataclass(frozen=True, kw_only=True)
class Read:
    """The same on the characters of a text."""

    arm: Arm
    corpus: str
    digest: str
    layers: int
    width: int
    batch: int
    lr: float
    steps: int
    tuning: int
    passages: int

    @property
    def span(self) -> int:
        """Characters that a text must have."""
        return characters(self.passages)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Train a net whose table has rows that are often used, rarely and never; then read the same text on each of them."""

    corpus: str
    digest: str
    layers: int
    width: int
    batch: int
    lr: float
    steps: int
    rarely: int
    passages: int


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Train a net on generated tales, then let it choose between a tale and the same tale made ungrammatical."""

    arm: Arm
    layers: int
    width: int
    batch: int
    lr: float
    steps: int
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Count what each kind of positions stores and computes in a model of this size."""

    preset: str


def characters(passages: int) -> int:
    """How long a text must be for so many passages, whose last characters do not overlap."""
    parts = ((passages * TARGETS + LONGEST + 1) / TEST, (LONGEST + 1) / VALIDATION)
    return 2 * LONGEST + math.ceil(max(parts)) + 1
