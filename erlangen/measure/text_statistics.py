"""Variety, repetition and redundancy of a text, and how many of its words are words. Pure functions on strings."""

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
    """Its words in lower case: runs of letters, with apostrophes inside them, which are all written '."""
    return [word.replace("’", "'") for word in WORD.findall(text.lower())]


def distinct_n(text: str, n: int, unit: Literal["characters", "words"] = "words") -> float:
    """Different n-grams / n-grams, in (0, 1]; NaN for a text shorter than n. 1: none comes twice.

    It falls with the text's length: compare texts of equal length alone. Source: Li et al., "A Diversity-Promoting Objective
    Function for Neural Conversation Models", NAACL 2016 (distinct-1 and -2, of words).
    """
    grams = _grams(text if unit == "characters" else words(text), n)
    return len(set(grams)) / len(grams) if grams else float("nan")


def repetition(text: str, n: int = 4) -> float:
    """Share of the text's words that lie in an n-gram of words that the text has more than once; NaN for less than n words.

    0: no n words come again; 1: every word is part of what does. Source: the share of repeated n-grams, 1 - distinct-n, is
    rep-n of Welleck et al., "Neural Text Generation with Unlikelihood Training", ICLR 2020; this one counts words, so that
    a phrase said twice weighs as much as it is long, and its first time counts too.
    """
    grams = _grams(words(text), n)
    if not grams:
        return float("nan")
    times = Counter(grams)
    covered = {i + k for i, gram in enumerate(grams) if times[gram] > 1 for k in range(n)}
    return len(covered) / (len(grams) + n - 1)


def compression_ratio(text: str) -> float:
    """UTF-8 bytes / bytes after zlib at level 9; NaN for no text. About 2 for a page of English, higher where it repeats itself.

    It rises with the text's length: compare texts of equal length alone. Source: Shaib et al., "Standardizing the Measurement of
    Text Diversity", 2024 (there with gzip, whose header is 12 bytes longer).
    """
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw) / len(zlib.compress(raw, 9)) if raw else float("nan")


def dictionary_share(text: str, dictionary: Container[str]) -> float:
    """Share of the text's words, each as often as it comes, that `dictionary` has; NaN where the text has none.

    dictionary: words as `words` gives them. A word that ends in 's counts where the dictionary has the word before it.
    """
    found = words(text)
    known = sum(word in dictionary or (word.endswith("'s") and word[:-2] in dictionary) for word in found)
    return known / len(found) if found else float("nan")


@cache
def english_words() -> frozenset[str]:
    """English words in lower case: the list of the package pyspellchecker (MIT). Raises ErlangenError where it is missing."""
    try:
        spellchecker: Any = importlib.import_module("spellchecker")
    except ImportError as error:
        raise ErlangenError("a list of English words needs pyspellchecker: pip install 'erlangen[gpt]'") from error
    return frozenset(spellchecker.SpellChecker(language="en").word_frequency.words())


def _grams(symbols: Sequence[str], n: int) -> list[tuple[str, ...]]:
    if n < 1:
        raise ValueError(f"n-grams of {n}: one or more")
    return [tuple(symbols[i : i + n]) for i in range(len(symbols) - n + 1)]
