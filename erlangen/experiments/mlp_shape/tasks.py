"""The tasks of `mlp-shape`, and the shapes that they compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Start: TypeAlias = Literal["default", "gpt2", "he"]
Activation: TypeAlias = Literal["gelu", "sigmoid"]
VALIDATION, TEST = 0.05, 0.1  # shares of the text


def inner_width(width: int, depth: int) -> int:
    """Features k of each of `depth` hidden layers with the parameters of one that has 4 · width.

    2 · width · k + (depth - 1) k² = 8 · width², rounded to a whole k: 256 / 128 / 85 for depth 1 / 2 / 4 at width 64.
    """
    if depth == 1:
        return 4 * width
    return round(width * (math.sqrt(1 + 8 * (depth - 1)) - 1) / (depth - 1))


@dataclass(frozen=True, kw_only=True)
class Learn:
    """Train a GPT whose MLPs have `depth` hidden layers on a text; measure losses, gradients by depth, and how its loss rises.

    residual: whether each layer between two hidden ones is added to its input. digest: of a file, "" for a text of the package.
    """

    depth: int
    residual: bool
    start: Start
    lr: float
    corpus: str
    digest: str
    layers: int
    heads: int
    width: int
    block: int
    batch: int
    steps: int

    @property
    def span(self) -> int:
        """Characters that a text must have: a batch of windows to validate, and two gaps of a block."""
        return 2 * self.block + int((self.batch * self.block + 1) / VALIDATION) + 1


@dataclass(frozen=True, kw_only=True)
class Shake(Learn):
    """Train one in the same way at a rate that is far too high: its loss must be seen to rise."""


@dataclass(frozen=True, kw_only=True)
class Vanish:
    """Measure the gradients of an untrained net with deep MLPs of an activation, sigmoid of which they are known to vanish."""

    activation: Activation
    depth: int
    start: Start
    layers: int
    heads: int
    width: int
    block: int


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Time training steps of every shape in turn, on so many threads."""

    threads: int
    depths: tuple[int, ...]
    layers: int
    heads: int
    width: int
    block: int
    batch: int
    seconds: float
