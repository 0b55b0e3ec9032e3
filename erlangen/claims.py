"""The 33 claims about CNNs, Transformers and graph networks. Which experiment judges a claim is found by discovery."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class CatalogClaim:
    """A claim of the report, whether or not an experiment judges it yet.

    statement: the claim in our words, one plain sentence. quotes: the report's own words, in its order, as pages, documents and
    the terminal quote them. open: those of the quotes that no part of any experiment judges.
    """

    id: str
    statement: str
    quotes: tuple[str, ...]
    open: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """A group of claims: `name` as typed on the command line, `title` as printed; `letter` begins the ids of its claims."""

    name: str
    title: str
    letter: str = ""


TOPICS = (
    Topic("cnns", "Convolutional networks", "C"),
    Topic("transformers", "Transformers", "T"),
    Topic("graphs", "Graph networks", "G"),
)
FOUNDATIONS = Topic("foundations", "Foundations")


@cache
def catalog() -> dict[str, CatalogClaim]:
    """The claims by id, in the report's order."""
    text = resources.files("erlangen").joinpath("claims.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text)
    return {
        claim: CatalogClaim(claim, entry["statement"], tuple(entry["quotes"]), tuple(entry.get("open", ())))
        for claim, entry in listed.items()
    }


def statement_of(claim: str) -> str:
    """The one sentence that every command, page and citation has for a claim of the report. Raises KeyError for any other."""
    return catalog()[claim].statement


def topic_of(claim: str) -> Topic:
    """The topic of a claim's id: C5 is about convolutional networks. FOUNDATIONS where the id is not one of the report's."""
    letter = claim[:1] if re.fullmatch(r"[A-Z]\d+", claim) else "?"
    return next((topic for topic in TOPICS if topic.letter == letter), FOUNDATIONS)
