"""Padding before a text, masked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import behind, prepended, real


@dataclass(frozen=True)
class LeftPadding(Symmetry):
    """g = k puts k padding tokens before the text, mask 0 there and 1 elsewhere: y[k:] of the padded text against y of the text.

    The text itself is called with a mask too, all ones, so that only the padding differs. Position ids are left to the model,
    and that is the trap: one that numbers positions from the row's start (GPT-2 in Hugging Face's library without
    `position_ids`) sees every token k places further on. positions: pass the right ids as well, 0 for padding and 0 ... T - 1
    for the text; a text that comes with ids of its own keeps them either way. A vector (D,) stays as it is.
    longest: the most padding that is tried.
    """

    positions: bool = False
    longest: int = 8

    strict: ClassVar[bool] = True
    unit: ClassVar[str] = "padding tokens"

    @property
    def name(self) -> str:  # type: ignore[override]
        return "left-padding-positions" if self.positions else "left-padding"

    def generators(self, x: Text) -> Sequence[int]:
        return [k for k in (1, 3) if k <= self.longest and len(real(x))]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[int]:
        """Different k, uniformly."""
        ks = 1 + rng.permutation(self.longest)[:n]
        return [int(k) for k in ks] if len(real(x)) else []

    def reference(self, x: Text, g: int) -> Text:
        mask = torch.ones_like(x.ids) if x.mask is None else x.mask
        positions = torch.arange(len(x), device=x.ids.device) if x.positions is None and self.positions else x.positions
        return replace(x, mask=mask, positions=positions)

    def act(self, x: Text, g: int) -> Text:
        start = self.reference(x, g)
        padded = prepended(start, start.ids.new_full((g,), x.padding), mask=0)
        if start.positions is None:
            return padded
        return replace(padded, positions=torch.cat([start.positions.new_zeros(g), start.positions]))

    def align(self, y: Tensor, y_g: Tensor, g: int, x: Text) -> tuple[Tensor, Tensor] | None:
        return (y, y_g) if y.ndim < 2 else behind(y, y_g, g, x)

    def size(self, g: int) -> float:
        return float(g)

    def label(self, g: int) -> str:
        return f"{g} padding token{'s' if g > 1 else ''} before the text"
