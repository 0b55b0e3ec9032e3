"""A text further on: behind other tokens, or with larger position ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import behind, drawn, prepended, real


@dataclass(frozen=True)
class Prefix:
    """k tokens that `seed` gives."""

    k: int
    seed: int


@dataclass(frozen=True)
class PrefixShift(Symmetry):
    """Random tokens, real ones, before the text: y[k:] of the longer text against y (T, D) of the text.

    Holds where an answer depends neither on the place of a token nor on what comes before it: windows apart, few models.
    Position ids that the text comes with go on counting: the prefix takes the first ones, the text moves up by k.
    A vector (D,) rightly changes with what is added: g has no action on it. longest: the longest prefix.
    """

    longest: int = 8

    name: ClassVar[str] = "prefix-shift"
    unit: ClassVar[str] = "tokens"

    def generators(self, x: Text) -> Sequence[Prefix]:
        return [Prefix(k, seed=k) for k in (1, 3) if k <= self.longest and self._open(x)]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[Prefix]:
        ks, seeds = rng.integers(1, self.longest, size=n, endpoint=True), rng.integers(2**63, size=n)
        return [Prefix(int(k), int(seed)) for k, seed in zip(ks, seeds, strict=True)] if self._open(x) else []

    def _open(self, x: Text) -> bool:
        """Whether there is a token to put before the text, and one to look at."""
        return x.vocabulary > 1 and len(real(x)) > 0

    def act(self, x: Text, g: Prefix) -> Text:
        longer = prepended(x, drawn(x, g.k, g.seed), mask=1)
        if x.positions is None:
            return longer
        return replace(longer, positions=torch.cat([x.positions[:1] + torch.arange(g.k).to(x.positions), x.positions + g.k]))

    def align(self, y: Tensor, y_g: Tensor, g: Prefix, x: Text) -> tuple[Tensor, Tensor] | None:
        return behind(y, y_g, g.k, x)

    def size(self, g: Prefix) -> float:
        return float(g.k)

    def label(self, g: Prefix) -> str:
        return f"{g.k} random token{'s' if g.k > 1 else ''} before the text"


@dataclass(frozen=True)
class PositionShift(Symmetry):
    """g = k adds k to every position id: f(x, p + k) against f(x, p), p = 0 ... T - 1 unless the text comes with its own.

    Models that see only differences of positions keep every answer (rotary and relative ones, to rounding); learned absolute
    positions do not. The model must take position ids. longest: the largest k; with T + k positions a model must still know them.
    """

    longest: int = 16

    name: ClassVar[str] = "position-shift"
    unit: ClassVar[str] = "positions"

    def generators(self, x: Text) -> Sequence[int]:
        return [k for k in (1, 3) if k <= self.longest and len(real(x))]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[int]:
        """Different k, uniformly."""
        ks = 1 + rng.permutation(self.longest)[:n]
        return [int(k) for k in ks] if len(real(x)) else []

    def reference(self, x: Text, g: int) -> Text:
        return x if x.positions is not None else replace(x, positions=torch.arange(len(x), device=x.ids.device))

    def act(self, x: Text, g: int) -> Text:
        start = self.reference(x, g).positions
        assert start is not None
        return replace(x, positions=start + g)

    def align(self, y: Tensor, y_g: Tensor, g: int, x: Text) -> tuple[Tensor, Tensor] | None:
        return (y, y_g) if y.ndim < 2 else behind(y, y_g, 0, x)

    def size(self, g: int) -> float:
        return float(g)

    def label(self, g: int) -> str:
        return f"positions + {g}"
