"""A text at a later position: after other tokens, or with larger position ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry, check_least
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import draw_tokens, prepend, real_tokens, rows_after


@dataclass(frozen=True)
class Prefix:
    """k tokens, drawn from `seed`."""

    k: int
    seed: int


@dataclass(frozen=True)
class PrefixShift(Symmetry):
    """Put k random unmasked tokens before the text: y[k:] for the longer text must equal y (T, D) for the text.

    Holds only if the output depends neither on the position of a token nor on the tokens before it, so few models have it.
    If the text has position ids, the prefix takes the first of them and the text moves up by k. A vector (D,) rightly changes
    with the added tokens: g does not act on it. longest: the longest prefix. Raises ValueError if it is below 1.
    """

    longest: int = 8

    name: ClassVar[str] = "prefix-shift"
    by_constants: ClassVar[bool] = True
    unit: ClassVar[str] = "tokens"
    advice: ClassVar[str] = (
        "The model uses absolute positions or attends to the tokens before the text. Most Transformers do: this is expected."
    )

    def __post_init__(self) -> None:
        check_least(type(self), "longest", self.longest, 1)

    def generators(self, x: Text) -> Sequence[Prefix]:
        return [Prefix(k, seed=k) for k in (1, 3) if k <= self.longest and self._is_possible(x)]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[Prefix]:
        ks, seeds = rng.integers(1, self.longest, size=n, endpoint=True), rng.integers(2**63, size=n)
        return [Prefix(int(k), int(seed)) for k, seed in zip(ks, seeds, strict=True)] if self._is_possible(x) else []

    def _is_possible(self, x: Text) -> bool:
        """Whether there are tokens to put before the text, and rows to compare."""
        return x.vocabulary > 1 and len(real_tokens(x)) > 0

    def act(self, x: Text, g: Prefix) -> Text:
        longer = prepend(x, draw_tokens(x, g.k, g.seed), mask=1)
        if x.positions is None:
            return longer
        return replace(longer, positions=torch.cat([x.positions[:1] + torch.arange(g.k).to(x.positions), x.positions + g.k]))

    def align(self, y: Tensor, y_g: Tensor, g: Prefix, x: Text) -> tuple[Tensor, Tensor] | None:
        return rows_after(y, y_g, g.k, x)

    def size(self, g: Prefix) -> float:
        return float(g.k)

    def label(self, g: Prefix) -> str:
        return f"{g.k} random token{'s' if g.k > 1 else ''} before the text"


@dataclass(frozen=True)
class PositionShift(Symmetry):
    """g = k adds k to every position id: f(x, p + k) must equal f(x, p), where p = 0 ... T - 1 unless the text has its own ids.

    Models that use only differences of positions (rotary, relative) have this symmetry up to rounding; those with learned
    absolute positions do not. The model must accept position ids, and know T + k of them. longest: the largest k.
    Raises ValueError if it is below 1.
    """

    longest: int = 16

    name: ClassVar[str] = "position-shift"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    by_constants: ClassVar[bool] = True
    unit: ClassVar[str] = "positions"
    advice: ClassVar[str] = (
        "The model uses absolute positions. If outputs must not depend on where a text starts, use rotary or relative ones."
    )

    def __post_init__(self) -> None:
        check_least(type(self), "longest", self.longest, 1)

    def generators(self, x: Text) -> Sequence[int]:
        return [k for k in (1, 3) if k <= self.longest and len(real_tokens(x))]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[int]:
        """Distinct k, uniformly."""
        ks = 1 + rng.permutation(self.longest)[:n]
        return [int(k) for k in ks] if len(real_tokens(x)) else []

    def reference(self, x: Text, g: int) -> Text:
        return x if x.positions is not None else replace(x, positions=torch.arange(len(x), device=x.ids.device))

    def act(self, x: Text, g: int) -> Text:
        start = self.reference(x, g).positions
        assert start is not None
        return replace(x, positions=start + g)

    def align(self, y: Tensor, y_g: Tensor, g: int, x: Text) -> tuple[Tensor, Tensor] | None:
        return (y, y_g) if y.ndim < 2 else rows_after(y, y_g, 0, x)

    def size(self, g: int) -> float:
        return float(g)

    def label(self, g: int) -> str:
        return f"positions + {g}"
