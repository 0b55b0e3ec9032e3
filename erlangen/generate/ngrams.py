"""Texts without repeated n-grams: which tokens would complete an n-gram that the text already has.

    token v is removed from text t_1 ... t_T  if  (t_i, ..., t_{i+n-1}) = (t_{T-n+2}, ..., t_T, v)  for some i,  i + n - 1 <= T

The text is the prompt and what was generated. With n = 1 no token occurs twice.

Source: Paulus, Xiong and Socher, "A Deep Reinforced Model for Abstractive Summarization", ICLR 2018, section 2.5 (n = 3).
"""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.errors import ErlangenError

LEAST = 1024  # tokens of a text that fit at first: each room needs a capture of its own


def repeated_ngrams(text: Tensor, n: int, vocabulary: int, length: Tensor | None = None) -> Tensor:
    """The tokens that would complete an n-gram which text (B, T) already has, (B, vocabulary) bool.

    length: a tensor (1,) with the number of tokens in use, if the rest of `text` is room for more; every shape is then the same
    at every length, and nothing waits for the device. Tokens beyond the vocabulary are in the text but are never to be removed.
    """
    room = text.shape[1]
    banned = torch.zeros(len(text), vocabulary + 1, dtype=torch.bool, device=text.device)
    if room < n:
        return banned[:, :-1]
    used = torch.full((1,), room, device=text.device) if length is None else length
    last = torch.arange(n - 1, room, device=text.device)  # where each window of n tokens ends, (windows,)
    match = (last < used).expand(len(text), -1)  # (B, windows)
    if n > 1:
        suffix = (used - (n - 1) + torch.arange(n - 1, device=text.device)).clamp_min(0)  # (n - 1,)
        windows = text.unfold(1, n - 1, 1)[:, :-1]  # (B, windows, n - 1)
        match = match & (windows == text.index_select(1, suffix)[:, None]).all(-1)
    following = text[:, n - 1 :].clamp_max(vocabulary)
    return banned.scatter_(1, torch.where(match, following, vocabulary), True)[:, :-1]


def removable(repeated: Tensor) -> tuple[Tensor, Tensor]:
    """`repeated_ngrams` without the rows where nothing would be left, and these rows (B,) bool."""
    stuck = repeated.all(-1)
    return repeated & ~stuck[:, None], stuck


def nothing_left(n: int) -> ErlangenError:
    """The error for a text that cannot go on without repeating an n-gram."""
    return ErlangenError(
        f"--no-repeat-ngram-size {n}: every token would repeat an n-gram of the text: choose a larger size or fewer tokens"
    )


class WrittenText:
    """Texts of `batch` rows in memory whose address and shape stay the same while they grow, so that a GPU can capture a step.

    tokens: (B, room) int64. length: (1,) int64, the tokens in use.
    """

    def __init__(self, batch: int, device: torch.device) -> None:
        self.tokens = torch.zeros(batch, 0, dtype=torch.int64, device=device)
        self.length = torch.zeros(1, dtype=torch.int64, device=device)

    @property
    def room(self) -> int:
        """The tokens of a row that fit. A captured step is for one room."""
        return self.tokens.shape[1]

    def begin(self, prompt: Tensor) -> None:
        """Forget the last texts and write the prompt (B, T)."""
        self.make_room(prompt.shape[1] + 1)
        self.tokens[:, : prompt.shape[1]] = prompt
        self.length.fill_(prompt.shape[1])

    def make_room(self, tokens: int) -> None:
        """Move to memory for a power of two of tokens, at least LEAST, if these do not fit."""
        if tokens > self.room:
            larger = self.tokens.new_zeros(len(self.tokens), max(1 << (tokens - 1).bit_length(), LEAST))
            larger[:, : self.room] = self.tokens
            self.tokens = larger

    def append(self, chosen: Tensor) -> None:
        """Write the next tokens (B,), for which there must be room."""
        self.tokens.index_copy_(1, self.length, chosen[:, None])
        self.length.add_(1)
