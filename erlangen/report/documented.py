"""The answers that docs/claims.md documents, shipped with the package: shown where no run of one's own has an answer yet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, kw_only=True)
class DocumentedAnswer:
    """The answer that one experiment gave to a claim. settings: preset, seeds, precision and device, date."""

    claim: str
    experiment: str
    settings: str
    answer: str
    sentence: str


@cache
def documented_answers() -> tuple[DocumentedAnswer, ...]:
    """In the order of docs/claims.md; a claim that two experiments judge has two. `python docs/answers.py` writes the file."""
    text = resources.files("erlangen").joinpath("documented.json").read_text(encoding="utf-8")
    return tuple(DocumentedAnswer(**entry) for entry in json.loads(text))
