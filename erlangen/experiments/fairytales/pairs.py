"""Minimal pairs: a tale from the grammar beside the same tale with one fault, which no tale of the grammar has.

order      two neighboring words have changed places: "a wolf sly". Syntax, decided by the words around.
kinds      a noun is one of another kind: "a gold fox saved the cousin", for a ring. Sense, decided by the words around.
pronouns   the last word that tells the hero's sex is the other one: "The girl danced", of Hans. Agreement over a distance.
nouns      the last word that repeats a noun is another of its kind: the fox who came is now an owl. Sense over a distance.

A net that knows better gives the tale the higher probability; one that does not is right half the time.
Source: Warstadt et al., "BLiMP: The Benchmark of Linguistic Minimal Pairs for English", TACL 2020 (the method).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from functools import cache

from erlangen.data.tales import SLOTS, is_grammatical

OTHER_SEX = {
    "he": "she", "she": "he", "He": "She", "She": "He", "his": "her", "her": "his", "hers": "his", "boy": "girl", "girl": "boy",
}  # fmt: skip
NOUNS = {name: [forms["noun"] for _, forms in slot] for name, slot in SLOTS.items() if "noun" in slot[0][1]}
PAIRS = ("order", "kinds", "pronouns", "nouns")
WORD = re.compile(r"[A-Za-z]+")
Pair = tuple[str, str]  # right, wrong


def minimal_pairs(tales: list[str], seed: int) -> dict[str, list[Pair]]:
    """The pairs of each kind, from those of the tales that allow one."""
    rng = random.Random(seed)
    made = {
        "order": [wrong_order(tale, rng) for tale in tales],
        "kinds": [wrong_kind(tale, rng) for tale in tales],
        "pronouns": [wrong_pronoun(tale) for tale in tales],
        "nouns": [wrong_noun(tale, rng) for tale in tales],
    }
    return {
        kind: [(tale, wrong) for tale, wrong in zip(tales, wrongs, strict=True) if wrong and not is_grammatical(wrong)]
        for kind, wrongs in made.items()
    }


def wrong_order(tale: str, rng: random.Random) -> str:
    """With two neighboring words exchanged, inside a sentence; '' where none can be."""
    words = tale.split(" ")
    places = [at for at in range(len(words) - 1) if all(word.isalpha() and word.islower() for word in words[at : at + 2])]
    if not places:
        return ""
    at = rng.choice(places)
    return " ".join([*words[:at], words[at + 1], words[at], *words[at + 2 :]])


def wrong_kind(tale: str, rng: random.Random) -> str:
    """With a noun that can only be something else in its place; '' where the tale has no noun."""
    found = [match for match in WORD.finditer(tale) if kinds(match[0])]
    if not found:
        return ""
    match = rng.choice(found)
    others = sorted({noun for nouns in NOUNS.values() if match[0] not in nouns for noun in nouns if not shared(noun, match[0])})
    return replaced(tale, match, rng.choice(others))


def wrong_pronoun(tale: str) -> str:
    """With the last word of the hero's sex changed; '' where there is none."""
    found = [match for match in WORD.finditer(tale) if match[0] in OTHER_SEX]
    return replaced(tale, found[-1], OTHER_SEX[found[-1][0]]) if found else ""


def wrong_noun(tale: str, rng: random.Random) -> str:
    """With the last repeated noun changed to another of its kind that the tale does not have; '' where no noun is repeated."""
    times = Counter(match[0] for match in WORD.finditer(tale))
    repeated = [(match, kind) for match in WORD.finditer(tale) if times[match[0]] > 1 and (kind := kinds(match[0]))]
    if not repeated:
        return ""
    match, kind = repeated[-1]
    return replaced(tale, match, rng.choice([noun for noun in NOUNS[kind[0]] if noun not in times]))


@cache
def kinds(noun: str) -> list[str]:
    """The slots that a noun can fill."""
    return [name for name, nouns in NOUNS.items() if noun in nouns]


def shared(one: str, other: str) -> set[str]:
    """The slots that both nouns can fill."""
    return set(kinds(one)) & set(kinds(other))


def replaced(tale: str, match: re.Match[str], word: str) -> str:
    """The tale with another word in the place of the match."""
    return tale[: match.start()] + word + tale[match.end() :]
