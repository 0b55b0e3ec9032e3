"""A text as a language model takes it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Text:
    """Token ids (T,) int64, of a vocabulary 0 ... vocabulary - 1.

    mask (T,): 1 where a token is real, 0 where it pads; None: all are, and the model is called without one.
    positions (T,): the position ids that the model is given; None: it makes its own.
    padding: the token that pads.
    """

    ids: Tensor
    vocabulary: int
    mask: Tensor | None = None
    positions: Tensor | None = None
    padding: int = 0

    def __len__(self) -> int:
        return len(self.ids)
