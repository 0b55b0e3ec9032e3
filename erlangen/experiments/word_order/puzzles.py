"""Two puzzles whose answer is in the order of the tokens.

marks     16 tokens and a question mark: two fixed marks among 14 others; which of the marks came first?
reverse   8 different tokens of 32 and a sign; then the same 8 tokens in reverse order, one after the other
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from erlangen.experiments.word_order.tasks import MARKS, OTHER_TOKENS, SPAN, PuzzleName

KINDS = 16  # of other tokens than the marks, 0 and 1, and the question mark, 2
SYMBOLS = 32  # of which 8 are to be reversed; the sign is token 32
VOCABULARY: dict[PuzzleName, int] = {"marks": MARKS + 1 + KINDS, "reverse": SYMBOLS + 1}
LENGTH: dict[PuzzleName, int] = {"marks": MARKS + OTHER_TOKENS + 1, "reverse": 2 * SPAN}
PROMPT: dict[PuzzleName, int] = {"marks": MARKS + OTHER_TOKENS + 1, "reverse": SPAN + 1}  # tokens before the first answer


def draw(puzzle: PuzzleName, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """n cases: tokens (n, LENGTH) and what should follow each of the last ones, (n, 1) for marks, (n, 8) for reverse."""
    return marks(n, generator) if puzzle == "marks" else reverse(n, generator)


def marks(n: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Both marks at uniform random places, the others uniform and independent of each other; the answer is a mark."""
    tokens = torch.randint(MARKS + 1, VOCABULARY["marks"], (n, MARKS + OTHER_TOKENS), generator=generator)
    places = torch.rand(n, MARKS + OTHER_TOKENS, generator=generator).argsort(1)[:, :MARKS]  # (n, 2), two different ones
    tokens.scatter_(1, places, torch.arange(MARKS).expand(n, MARKS))
    asked = torch.full((n, 1), MARKS)
    return torch.cat([tokens, asked], 1), (places[:, :1] > places[:, 1:]).long()


def reverse(n: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Tokens drawn without repetition; each answer is given the right ones before it."""
    first = torch.rand(n, SYMBOLS, generator=generator).argsort(1)[:, :SPAN]  # (n, 8)
    sign = torch.full((n, 1), SYMBOLS)
    last = first.flip(1)
    return torch.cat([first, sign, last[:, :-1]], 1), last
