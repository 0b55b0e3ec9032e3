"""How the next token is chosen: one frozen value that every decoder is given. See `erlangen.generate.filters` for the rules."""

from __future__ import annotations

import math
from dataclasses import dataclass

from erlangen.errors import ErlangenError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to choose tokens; the default is a draw from the model's distribution.

    Raises ErlangenError, which names the option, for a value out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    min_tokens_to_keep: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int | None = None
    seed: int = 0

    @property
    def needs_text(self) -> bool:
        """Whether a choice depends on which tokens came before, apart from the logits."""
        return self.repetition_penalty != 1 or self.no_repeat_ngram_size is not None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ErlangenError(f"--temperature {self.temperature}: must be 0 (greedy) or a positive number")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0):
            raise ErlangenError(f"--repetition-penalty {self.repetition_penalty}: must be a positive number; 1 has no effect")
        if self.seed < 0:
            raise ErlangenError(f"--seed {self.seed}: must be 0 or more")
        self._check_probabilities()
        self._check_counts()

    def _check_probabilities(self) -> None:
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ErlangenError(
                f"--top-p {self.top_p}: must be a probability above 0 and at most 1; use --temperature 0 for the likeliest token"
            )
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ErlangenError(f"--min-p {self.min_p}: must be a share of the likeliest token's probability, from 0 to 1")
        if self.typical_p is not None and not 0 < self.typical_p <= 1:
            raise ErlangenError(f"--typical-p {self.typical_p}: must be a probability above 0 and at most 1; 1 has no effect")

    def _check_counts(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise ErlangenError(f"--top-k {self.top_k}: must be at least 1; leave it out to keep all tokens")
        if self.min_tokens_to_keep < 1:
            raise ErlangenError(f"--min-tokens-to-keep {self.min_tokens_to_keep}: must be at least 1, which has no effect")
        if self.no_repeat_ngram_size is not None and self.no_repeat_ngram_size < 1:
            raise ErlangenError(
                f"--no-repeat-ngram-size {self.no_repeat_ngram_size}: must be at least 1; leave it out to allow repetition"
            )
