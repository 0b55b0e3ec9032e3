"""The wording of parts, kept with the claims: what `erlangen show` lists is what the verdicts judge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from erlangen.records.runs import Claim, Of


class Wording(TypedDict):
    """The fields of a part that say what it states, and who stated it."""

    claim: str
    part: str
    of: Of
    statement: str
    quote: str


def wording(claims: Sequence[Claim], quotes: Mapping[str, str], part: str, of: Of = "extension") -> Wording:
    """The wording of one part: the report's where `quotes` has its words. Raises StopIteration where no claim has the part."""
    claim = next(claim for claim in claims if part in claim.parts)
    quote = quotes.get(part, "")
    return Wording(claim=claim.id, part=part, of="report" if quote else of, statement=claim.parts[part], quote=quote)


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'; '' for none."""
    *others, last = (*words,) or ("",)
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def with_minus_signs(text: str) -> str:
    """The text with a minus sign before its negative numbers: hyphens of words, ranges and options stay.

    Pages and the terminal print numbers of their own so ('R² is −0.03'), and sentences should not differ from them.
    """
    return re.sub(r"(?<![^\s(\[])-(?=\d)", "\N{MINUS SIGN}", text)
