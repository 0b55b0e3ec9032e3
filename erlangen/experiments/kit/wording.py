"""The wording of parts, kept with the claims: what `erlangen show` lists is what the verdicts judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
