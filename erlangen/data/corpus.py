"""A text as tokens in three contiguous parts, and batches of its windows by a single gather.

    | train ............... | gap | validation | gap | test |

Each gap leaves out `block` tokens, so that no window of one part overlaps a window of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from erlangen.data.tokenizer import Tokenizer

CHARACTERS = "characters"


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """The tokens (n,) of each part, in the smallest dtype that holds the vocabulary, and the tokenizer that made them.

    train_starts: sorted positions at which training windows may begin; None for any position. For `tales` these are the END
    tokens before each tale but the first, so that a window's first target is a tale's first character.
    validation_starts, test_starts: positions at which the tales begin; None for other texts.
    """

    name: str
    tokenizer: Tokenizer
    train: Tensor
    validation: Tensor
    test: Tensor
    train_starts: Tensor | None = None
    validation_starts: Tensor | None = None
    test_starts: Tensor | None = None

    def bytes_of(self, tokens: Tensor) -> int:
        """UTF-8 bytes of the text that the tokens encode. For bits per byte, divide by the bytes of the scored tokens."""
        counts = torch.bincount(tokens.flatten().long(), minlength=self.tokenizer.size)
        return int(counts @ self.tokenizer.bytes_per_token)


def windows(tokens: Tensor, starts: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """inputs[b, t] = tokens[starts[b] + t], targets[b, t] = tokens[starts[b] + t + 1], both (B, block) int64, from tokens (n,).

    One gather of rows of a strided view, so of a memory map only the windows are read. starts (B,): from 0 to n - block - 1.
    """
    rows = window_rows(tokens, starts, block)
    return rows[:, :-1], rows[:, 1:]


def window_rows(tokens: Tensor, starts: Tensor, block: int) -> Tensor:
    """Inputs and targets of `windows` in one: rows[b, t] = tokens[starts[b] + t], (B, block + 1) int64."""
    return tokens.unfold(0, block + 1, 1).index_select(0, starts).long()


def random_starts(n_tokens: int, block: int, batch: int, generator: Generator, allowed: Tensor | None = None) -> Tensor:
    """Random window starts (batch,) int64, uniform with replacement over 0 .. n_tokens - block - 1.

    allowed: sorted positions; if given, only the starts among them are drawn. Raises ValueError if no start is possible.
    """
    last = n_tokens - block - 1
    choices = last + 1 if allowed is None else int(torch.searchsorted(allowed, last, right=True))
    if choices < 1:
        raise ValueError(f"random_starts: {n_tokens} tokens have no window of {block} + 1 tokens: use a smaller block")
    index = torch.randint(choices, (batch,), generator=generator)
    return index if allowed is None else allowed[index]
