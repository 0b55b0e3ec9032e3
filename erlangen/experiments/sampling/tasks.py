"""The one task of `sampling`, and what it measures in which settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Setting = tuple[float, float]  # temperature, top-p

SOURCE: tuple[Setting, ...] = ((0.65, 0.85), (0.7, 0.9), (0.75, 0.95), (1.0, 0.9))
SETTINGS: tuple[Setting, ...] = (
    *SOURCE, (0.3, 1.0), (0.5, 1.0), (1.0, 1.0), (1.25, 1.0), (1.5, 1.0), (1.0, 0.5), (1.0, 0.7),
)  # fmt: skip
OUTCOMES = ("distinct", "repetition", "verbatim", "words", "loss", "other-loss")
VALIDATION, TEST = 0.03, 0.2  # shares of the text


def label(setting: Setting) -> str:
    """(0.7, 0.9) -> '0.7/0.9': temperature / top-p."""
    return f"{setting[0]:g}/{setting[1]:g}"


@dataclass(frozen=True, kw_only=True)
class Write:
    """Train a net and another one that only reads, then write after the same prompts in every setting. digest: of a file."""

    corpus: str
    digest: str
    dictionary: Literal["english", "training"]
    steps: int
    other_steps: int
    layers: int
    heads: int
    width: int
    block: int
    batch: int
    lr: float
    prompts: int
    prompt: int
    length: int

    @property
    def span(self) -> int:
        """Characters that a text must have: a window to validate, the prompts in the test part, and two gaps of a block."""
        parts = ((self.block + 1) / VALIDATION, self.prompts * (self.prompt + self.length) / TEST)
        return 2 * self.block + math.ceil(max(parts)) + 1
