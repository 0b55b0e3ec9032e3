"""The tasks of `word-order`. Their net: causal, an encoder (bidirectional), or a bag: a predictor that sees no order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

NetName: TypeAlias = Literal["causal", "encoder", "bag"]
PositionName: TypeAlias = Literal["none", "rotary"]
PuzzleName: TypeAlias = Literal["marks", "reverse"]

FIRST = ("john", "sat", "on", "the", "couch")
SECOND = ("couch", "on", "the", "sat", "john")
STOP = "."
OTHER_WORDS = ("mary", "stood", "under", "a", "tree", "anna", "lay", "by", "her", "chair", "dog")
WORDS = (*FIRST, *OTHER_WORDS)
"""The report's two sentences in lower case, as tokens, the full stop that ends both, and words of other sentences."""

MARKS, OTHER_TOKENS = 2, 14  # of a case of `marks`
SPAN = 8  # tokens that `reverse` reverses
VALIDATION, TEST = 0.05, 0.1  # shares of the text
LONGEST_TALE = 256  # characters; a corpus of tales is loaded with windows that hold a whole one


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """Train one net to tell the report's two sentences apart."""

    net: NetName
    depth: int
    positions: PositionName
    lr: float
    steps: int
    width: int
    heads: int


@dataclass(frozen=True, kw_only=True)
class Puzzle:
    """Train one net on a puzzle whose answer is in the order of its tokens. tests: new cases that it is scored on."""

    puzzle: PuzzleName
    net: NetName
    depth: int
    positions: PositionName
    lr: float
    steps: int
    batch: int
    tests: int
    width: int
    heads: int


@dataclass(frozen=True, kw_only=True)
class Text:
    """Train one net to predict the next character. digest: of a file, or ''; tests: windows that it is scored on."""

    corpus: str
    digest: str
    net: NetName
    depth: int
    positions: PositionName
    lr: float
    steps: int
    batch: int
    block: int
    tests: int
    width: int
    heads: int
