"""The one task of `sampling`, and what it measures in which settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Setting = tuple[float, float]  # temperature, top-p
Regime = Literal["memorizing", "stopped"]

SOURCE: tuple[Setting, ...] = ((0.65, 0.85), (0.7, 0.9), (0.75, 0.95), (1.0, 0.9))
REFERENCE: Setting = SOURCE[1]
ALONE: tuple[Setting, ...] = ((0.65, 0.9), (0.7, 0.85), (0.7, 0.95))  # with which one knob turns over the source's range
WIDE: tuple[Setting, ...] = ((0.3, 1.0), (1.5, 1.0), (1.0, 0.5), (1.0, 1.0))
SETTINGS: tuple[Setting, ...] = (*SOURCE, *ALONE, *WIDE)
OUTCOMES = ("distinct", "verbatim", "words")  # what a reader of the texts can see
LOSS = "loss"  # of a text under the net that wrote it: temperature and top-p change it by definition
VALIDATION, TEST = 0.03, 0.2  # shares of the text


def label(setting: Setting) -> str:
    """(0.7, 0.9) -> '0.7/0.9': temperature / top-p."""
    return f"{setting[0]:g}/{setting[1]:g}"


@dataclass(frozen=True, kw_only=True)
class Write:
    """Train a net in a regime, then write after the same prompts in every setting. digest: of a file.

    memorizing: on `characters` of the text, to the last step. stopped: on all of its training part, to the least validation loss.
    """

    regime: Regime
    corpus: str
    digest: str
    dictionary: Literal["english", "training"]
    characters: int
    steps: int
    layers: int
    heads: int
    width: int
    block: int
    batch: int
    lr: float
    dropout: float
    prompts: int
    prompt: int
    length: int

    def span(self, nets: int) -> int:
        """Characters of text that so many nets need: a slice each, a window to validate, prompts, and a gap of a block around."""
        train = 1 - VALIDATION - TEST
        parts = (
            (nets * self.characters + 1) / train,
            (self.block + 1) / VALIDATION,
            self.prompts * (self.prompt + self.length) / TEST,
        )
        return 2 * self.block + math.ceil(max(parts)) + 1
