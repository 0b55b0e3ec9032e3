"""Masked padding before a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry, check_least
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import prepend, real_tokens, rows_after


@dataclass(frozen=True)
class LeftPadding(Symmetry):
    """g = k puts k masked padding tokens before the text: y[k:] for the padded text must equal y for the text.

    The text itself is passed with a mask of ones, so that only the padding differs. By default, the model chooses its position
    ids, and that is where models fail: one that counts positions from the start of the row (GPT-2 in Hugging Face's library
    without `position_ids`) sees every token k places later. A vector (D,) must not change.

    positions: also pass the correct position ids, 0 for padding and 0 ... T - 1 for the text. A text with position ids of its own
    keeps them in any case. longest: the largest k.

    Raises ValueError if `longest` is below 1.
    """

    positions: bool = False
    longest: int = 8

    default: ClassVar[bool] = True
    strict: ClassVar[bool] = True
    by_constants: ClassVar[bool] = True
    unit: ClassVar[str] = "padding tokens"
    advice: ClassVar[str] = (
        "Pass position_ids that count from the first real token, and a mask that every layer applies; or pad on the right."
    )

    def __post_init__(self) -> None:
        check_least(type(self), "longest", self.longest, 1)

    @property
    def name(self) -> str:  # type: ignore[override]
        return "left-padding-positions" if self.positions else "left-padding"

    def generators(self, x: Text) -> Sequence[int]:
        return [k for k in (1, 3) if k <= self.longest and len(real_tokens(x))]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[int]:
        """Distinct k, uniformly."""
        ks = 1 + rng.permutation(self.longest)[:n]
        return [int(k) for k in ks] if len(real_tokens(x)) else []

    def reference(self, x: Text, g: int) -> Text:
        mask = torch.ones_like(x.ids) if x.mask is None else x.mask
        positions = torch.arange(len(x), device=x.ids.device) if x.positions is None and self.positions else x.positions
        return replace(x, mask=mask, positions=positions)

    def act(self, x: Text, g: int) -> Text:
        start = self.reference(x, g)
        padded = prepend(start, start.ids.new_full((g,), x.padding), mask=0)
        if start.positions is None:
            return padded
        return replace(padded, positions=torch.cat([start.positions.new_zeros(g), start.positions]))

    def align(self, y: Tensor, y_g: Tensor, g: int, x: Text) -> tuple[Tensor, Tensor] | None:
        return (y, y_g) if y.ndim < 2 else rows_after(y, y_g, g, x)

    def size(self, g: int) -> float:
        return float(g)

    def label(self, g: int) -> str:
        return f"{g} padding token{'s' if g > 1 else ''} before the text"
