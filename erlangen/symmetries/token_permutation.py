"""Permutation of the tokens of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries import orders
from erlangen.symmetries.orders import Order
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import real_tokens


@dataclass(frozen=True)
class TokenPermutation(Symmetry):
    """S_T permutes the tokens of a text: rows of y (T, D) move along, a vector (D,) must not change.

    Only real tokens are permuted; the mask stays unchanged, and rows of padding are not compared. `positions` do not move with
    the tokens, since the permutation changes exactly that: which token is at which position.
    """

    name: ClassVar[str] = "token-permutation"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    unit: ClassVar[str] = "share of tokens moved"
    advice: ClassVar[str] = (
        "Positions or a causal mask reveal the order of the tokens. Expected of a language model, but a bug in a model of sets."
    )

    def generators(self, x: Text) -> Sequence[Order]:
        """A swap of the first two neighbors that differ, and a cycle of all tokens."""
        return orders.generators(self._ids(x))

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[Order]:
        return orders.elements(self._ids(x), n, rng)

    def _ids(self, x: Text) -> np.ndarray:
        return x.ids[real_tokens(x)].cpu().numpy()

    def _sources(self, x: Text, g: Order) -> Tensor:
        """For each position, the position its token comes from, (T,)."""
        sources, real = torch.arange(len(x), device=x.ids.device), real_tokens(x)
        sources[real] = real[g.on(len(real)).to(real.device)]
        return sources

    def act(self, x: Text, g: Order) -> Text:
        return replace(x, ids=x.ids[self._sources(x, g)])

    def act_output(self, y: Tensor, g: Order, x: Text) -> Tensor | None:
        return orders.permute_rows(y, len(x), lambda: self._sources(x, g))

    def align(self, y: Tensor, y_g: Tensor, g: Order, x: Text) -> tuple[Tensor, Tensor] | None:
        aligned = super().align(y, y_g, g, x)
        if aligned is None or x.mask is None or y.ndim < 2:
            return aligned
        real = real_tokens(x).to(y.device)
        return aligned[0][real], aligned[1][real]

    def size(self, g: Order) -> float:
        return g.moved

    def label(self, g: Order) -> str:
        return g.describe("tokens")
