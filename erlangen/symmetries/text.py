"""A text as language models take it."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Text:
    """Token ids (T,), int64, from 0 to vocabulary - 1.

    mask (T,): 1 for real tokens, 0 for padding; if None, all tokens are real and the model is called without a mask.
    positions (T,): position ids for the model; if None, the model chooses its own.
    padding: the id of the padding token. end: the id of the token that ends a text, if it is known.
    fixed: further arguments of the model by name, without a batch dimension, which no symmetry changes: the input of the encoder
    in front of a decoder, for example.
    """

    ids: Tensor
    vocabulary: int
    mask: Tensor | None = None
    positions: Tensor | None = None
    padding: int = 0
    end: int | None = None
    fixed: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)
