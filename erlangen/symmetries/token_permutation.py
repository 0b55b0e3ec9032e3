"""Permutation of a text's tokens."""

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
from erlangen.symmetries.tokens import real


@dataclass(frozen=True)
class TokenPermutation(Symmetry):
    """S_T acts on the tokens of a text: y (T, D) moves along row by row, a vector (D,) stays.

    Only real tokens change places, and only with each other; the mask stays as it is, and rows of padding are not compared.
    `positions` stay with their place, not with the token: they say where a token stands, and that is what changes.
    """

    name: ClassVar[str] = "token-permutation"
    unit: ClassVar[str] = "share of tokens moved"

    def generators(self, x: Text) -> Sequence[Order]:
        """The first two neighbors that differ swapped, and all tokens moved by one."""
        return orders.generators(self._ids(x))

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[Order]:
        return orders.elements(self._ids(x), n, rng)

    def _ids(self, x: Text) -> np.ndarray:
        return x.ids[real(x)].cpu().numpy()

    def _places(self, x: Text, g: Order) -> Tensor:
        """Where the token at each place comes from, (T,)."""
        places, those = torch.arange(len(x), device=x.ids.device), real(x)
        places[those] = those[g.on(len(those)).to(those.device)]
        return places

    def act(self, x: Text, g: Order) -> Text:
        return replace(x, ids=x.ids[self._places(x, g)])

    def act_output(self, y: Tensor, g: Order, x: Text) -> Tensor | None:
        return orders.permuted(y, len(x), lambda: self._places(x, g))

    def align(self, y: Tensor, y_g: Tensor, g: Order, x: Text) -> tuple[Tensor, Tensor] | None:
        aligned = super().align(y, y_g, g, x)
        if aligned is None or x.mask is None or y.ndim < 2:
            return aligned
        places = real(x).to(y.device)
        return aligned[0][places], aligned[1][places]

    def size(self, g: Order) -> float:
        return g.moved

    def label(self, g: Order) -> str:
        return g.words("tokens")
