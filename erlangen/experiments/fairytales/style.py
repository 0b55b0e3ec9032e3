"""Whether a text reads like its book, by the words that carry no content: a naive Bayes classifier.

    odds(w) = log p(w | book) - log p(w | other prose),     score(text) = mean over its function words of odds(w)

in nats per function word, above 0 where the text is taken for the book's. Probabilities are those of a function word among all
function words, each counted once more than it occurs. The words are the 70 by which Mosteller & Wallace, "Inference and Disputed
Authorship: The Federalist", 1964, told authors apart: no topic is among them.

The other prose is technical English, the reference of the Python language, which every Python has on board: no other prose of
the Grimms' time is at hand offline. So a high score means "tells a tale as the book does", not "was translated by the same hand".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pydoc_data.topics import topics

from erlangen.measure.text_statistics import words

LIST = (
    "a all also an and any are as at be been but by can do down even every for from had has have her his if in into is it "
    "its may more must my no not now of on one only or our shall should so some such than that the their then there things "
    "this to up upon was were what when which who will with would your"
)
FUNCTION_WORDS = tuple(LIST.split())


def other_prose() -> tuple[str, str]:
    """Technical English in two parts: one to learn from and one to test with."""
    text = " ".join(" ".join(topics[name].split()) for name in sorted(topics))
    return text[: len(text) // 2], text[len(text) // 2 :]


def odds_of(book: str, other: str) -> dict[str, float]:
    """The odds of each function word, in nats."""
    ours, theirs = (Counter(word for word in words(text) if word in FUNCTION_WORDS) for text in (book, other))
    of_ours, of_theirs = (sum(counts.values()) + len(FUNCTION_WORDS) for counts in (ours, theirs))
    return {word: math.log((ours[word] + 1) / of_ours) - math.log((theirs[word] + 1) / of_theirs) for word in FUNCTION_WORDS}


def score(text: str, odds: Mapping[str, float]) -> float:
    """The mean odds of its function words; 0, which decides nothing, for a text that has none."""
    known = [odds[word] for word in words(text) if word in odds]
    return math.fsum(known) / len(known) if known else 0.0


def taken_for_the_book(texts: Sequence[str], odds: Mapping[str, float]) -> float:
    """The share of texts with a score above 0."""
    return sum(score(text, odds) > 0 for text in texts) / len(texts)
