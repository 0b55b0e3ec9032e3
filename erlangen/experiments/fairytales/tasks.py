"""The tasks of `fairytales`, and what its nets measure alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SETTINGS = {"published": (0.7, 0.9), "plain": (1.0, 1.0)}  # temperature, top-p: the first of the source's four, and none
CHARACTERS, WORDS = (5, 10, 20, 40), (2, 3, 5, 8)  # lengths of the n-grams that are looked for in the training text


@dataclass(frozen=True, kw_only=True)
class Quotes:
    """Count what the report says of its book in the book itself."""

    corpus: Literal["grimm"]


@dataclass(frozen=True, kw_only=True)
class Net:
    """A net, its training, and how many texts it writes."""

    layers: int
    heads: int
    width: int
    block: int
    dropout: float
    lr: float
    steps: int
    batch: int
    samples: int


@dataclass(frozen=True, kw_only=True)
class Book(Net):
    """Train on a slice of a text and write after passages of what follows. digest: of a file, "" for a text of the package."""

    corpus: str
    digest: str
    dictionary: Literal["english", "training"]
    characters: int
    evaluations: int
    prompt: int
    length: int

    @property
    def held_out(self) -> tuple[int, int]:
        """Characters of the validation and the test part."""
        return max(self.characters // 2, 8 * self.block), self.samples * (self.prompt + self.length)

    @property
    def span(self) -> int:
        """Characters from the start of a slice to the end of what is held out, with a gap of a block before each part of that."""
        return self.characters + sum(self.held_out) + 2 * self.block


@dataclass(frozen=True, kw_only=True)
class Tales(Net):
    """Train on generated tales, `few` of them again and again or many about once, judge fresh tales and write others."""

    arm: Literal["few", "many"]
    few: int
