"""Variety, repetition and redundancy of a text, and the share of its words in a dictionary. Pure functions on strings."""

from __future__ import annotations

import importlib
import re
import zlib
from collections import Counter
from collections.abc import Container, Sequence
from functools import cache
from typing import Any, Literal

from erlangen.errors import ErlangenError

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in lower case: runs of letters that may contain apostrophes, which are all written as '."""
    return [word.replace("’", "'") for word in WORD.findall(text.lower())]


def distinct_n(text: str, n: int, unit: Literal["characters", "words"] = "words") -> float:
    """The number of different n-grams divided by the number of n-grams, in (0, 1]; NaN for a text shorter than n.

    1: no n-gram occurs twice. The value falls with the length of the text, so compare only texts of equal length. Source: Li et
    al., "A Diversity-Promoting Objective Function for Neural Conversation Models", NAACL 2016 (distinct-1 and -2, of words).
    """
    grams = _grams(text if unit == "characters" else words(text), n)
    return len(set(grams)) / len(grams) if grams else float("nan")


def repetition(text: str, n: int = 4) -> float:
    """The share of a text's words that are part of an n-gram that occurs more than once; NaN for fewer than n words.

    0: no n-gram occurs twice; 1: every word is part of a repeated n-gram. Source: the share of repeated n-grams, 1 - distinct-n,
    is rep-n of Welleck et al., "Neural Text Generation with Unlikelihood Training", ICLR 2020. This one counts words, so that a
    repeated phrase counts by its length, and its first occurrence counts too.
    """
    grams = _grams(words(text), n)
    if not grams:
        return float("nan")
    times = Counter(grams)
    covered = {i + k for i, gram in enumerate(grams) if times[gram] > 1 for k in range(n)}
    return len(covered) / (len(grams) + n - 1)


def compression_ratio(text: str) -> float:
    """UTF-8 bytes divided by bytes after zlib at level 9; NaN for an empty text.

    About 2 for a page of English, and higher for a text that repeats itself. The value rises with the length of the text, so
    compare only texts of equal length. Source: Shaib et al., "Standardizing the Measurement of Text Diversity", 2024 (there with
    gzip, whose header is 12 bytes longer).
    """
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw) / len(zlib.compress(raw, 9)) if raw else float("nan")


def dictionary_share(text: str, dictionary: Container[str]) -> float:
    """The share of a text's words, with repetitions, that are in `dictionary`; NaN for a text without words.

    dictionary: words in the form that `words` returns. A word that ends in 's counts if the dictionary has the word without it.
    """
    tokens = words(text)
    known = sum(word in dictionary or (word.endswith("'s") and word[:-2] in dictionary) for word in tokens)
    return known / len(tokens) if tokens else float("nan")


@cache
def english_words() -> frozenset[str]:
    """English words in lower case, from the package pyspellchecker (MIT). Raises ErlangenError if it is not installed."""
    try:
        spellchecker: Any = importlib.import_module("spellchecker")
    except ImportError as error:
        raise ErlangenError("a list of English words needs pyspellchecker: pip install pyspellchecker") from error
    return frozenset(spellchecker.SpellChecker(language="en").word_frequency.words())


def _grams(symbols: Sequence[str], n: int) -> list[tuple[str, ...]]:
    if n < 1:
        raise ValueError(f"n-grams of {n} do not exist: n must be at least 1")
    return [tuple(symbols[i : i + n]) for i in range(len(symbols) - n + 1)]
