"""How much of a text occurs verbatim, by characters or words, in the text that a model was trained on.

For each position i of a text x (m,), the longest match in the training text y (n,) is

    match(i) = max { l : x[i : i + l] = y[j : j + l] for some j },      share(l) = mean over i of [match(i) ≥ l],

where i runs over the positions with at least l symbols left. Symbols are characters or words. A share means little alone, because
common phrases recur in any text of the same style: compare it with the share of held-out text by the same author.

The matches are exact. They are found by a suffix array over both texts: the ranks of all substrings of 1, 2, 4 ... symbols, and
the nearest training suffix on either side of each suffix. O((n + m) log(n + m) log most) in NumPy, about 1 s for a book of 500
000 characters.
Sources: Manber & Myers, SIAM J. Comput. 22, 1993 (ranks by doubling); Lee et al., "Deduplicating Training Data Makes Language
Models Better", ACL 2022, and McCoy et al., "How Much Do Language Models Copy From Their Training Data?", TACL 2023 (the measure).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from erlangen.measure.text_statistics import words

Unit = Literal["characters", "words"]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Matches:
    """The longest matches of several texts. lengths: for each text the longest match at each position, (m,), at most `most`."""

    lengths: tuple[Integers, ...]
    most: int

    def shares(self, n: int) -> list[float]:
        """For each text, the share of its n-grams that occur in the training text; NaN for a text that is shorter than n.

        Raises ValueError if n is not between 1 and `most`.
        """
        if not 1 <= n <= self.most:
            raise ValueError(f"shares: n = {n} must be between 1 and {self.most}, the longest match that was searched for")
        ends = [max(len(lengths) - n + 1, 0) for lengths in self.lengths]
        return [
            float((lengths[:end] >= n).mean()) if end else float("nan") for lengths, end in zip(self.lengths, ends, strict=True)
        ]

    def share(self, n: int) -> float:
        """The share of n-grams that occur in the training text, over all texts together; NaN if all are shorter than n.

        Raises ValueError if n is not between 1 and `most`.
        """
        if not 1 <= n <= self.most:
            raise ValueError(f"share: n = {n} must be between 1 and {self.most}, the longest match that was searched for")
        whole = np.concatenate([lengths[: max(len(lengths) - n + 1, 0)] for lengths in self.lengths])
        return float((whole >= n).mean()) if len(whole) else float("nan")


def verbatim_share(text: str, training: str, n: int, unit: Unit = "characters") -> float:
    """The share of a text's n-grams that occur in the training text, 0 to 1; NaN if the text is shorter than n."""
    return longest_matches([text], training, n, unit).share(n)


def longest_matches(texts: Sequence[str], training: str, most: int = 64, unit: Unit = "characters") -> Matches:
    """The longest match at every position of every text, up to `most` symbols. No match extends past the end of its text.

    Words are compared as `words` returns them, without case and punctuation. Raises ValueError for `most` below 1.
    """
    if most < 1:
        raise ValueError(f"longest_matches: most = {most} must be at least 1")
    known, *others = _symbols([training, *texts], unit)
    ends = np.cumsum([0, *(len(symbols) + 1 for symbols in others)])
    joined = np.concatenate([np.append(symbols, -2) for symbols in others]) if others else np.empty(0, np.int64)
    lengths = _matches(joined, np.append(known, -1), most)  # the end symbols -1 and -2 match nothing
    return Matches(tuple(lengths[a : b - 1] for a, b in pairwise(ends)), most)


def _symbols(texts: Sequence[str], unit: Unit) -> list[Integers]:
    """Texts as arrays of numbers; equal symbols have equal numbers."""
    if unit == "characters":
        return [np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64) for text in texts]
    numbers: dict[str, int] = {}
    return [np.array([numbers.setdefault(word, len(numbers)) for word in words(text)], dtype=np.int64) for text in texts]


def _matches(x: Integers, y: Integers, most: int) -> Integers:
    """The longest common prefix of each suffix of x (m,) with any suffix of y (n,), up to `most`, (m,)."""
    both = np.concatenate([y, x])
    ranks = [np.unique(both, return_inverse=True)[1] + 1]  # ranks[k]: of the 2^k symbols from each position; 0 past the end
    while 1 << (len(ranks) - 1) < most:
        last, step = ranks[-1], 1 << (len(ranks) - 1)
        second = np.concatenate([last[step:], np.zeros(min(step, len(last)), np.int64)])  # (n + m,)
        ranks.append(np.unique(last * (len(both) + 1) + second, return_inverse=True)[1] + 1)
    order = np.argsort(ranks[-1], kind="stable")
    training = order < len(y)
    place = np.where(training, np.arange(len(order)), -1)
    before = np.maximum.accumulate(place)
    after = np.minimum.accumulate(np.where(training, place, len(order))[::-1])[::-1]
    longest = np.zeros(len(both), dtype=np.int64)
    for neighbor in (before, after):
        there = (neighbor >= 0) & (neighbor < len(order)) & ~training
        suffix, closest = order[there], order[neighbor[there]]
        longest[suffix] = np.maximum(longest[suffix], _common(ranks, suffix, closest))
    return np.minimum(longest[len(y) :], most)


def _common(ranks: list[Integers], i: Integers, j: Integers) -> Integers:
    """The length of the common prefix of the suffixes at i and at j, (len(i),), below 2^len(ranks)."""
    length = np.zeros(len(i), dtype=np.int64)
    for k in range(len(ranks) - 1, -1, -1):
        length += np.where(ranks[k][i + length] == ranks[k][j + length], 1 << k, 0)
    return length
