"""What is done to everything after a position: the elements of causality, for texts and for series."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

Change: TypeAlias = Literal["others", "next", "cut", "padding", "end", "zeros"]
Changes: TypeAlias = Callable[[int, Change], bool]  # (t, change) -> whether that element changes the input
CUTS = 16  # generators; an input of up to CUTS + 1 positions is cut at every one
SWEEP = 512  # the most cuts that are tried on one input


@dataclass(frozen=True)
class Future:
    """What happens to everything after position t.

    change: `others` replaces it by random values drawn from `seed`, `next` only the next position; `padding`, `end` and `zeros`
    replace all of it by that token or by 0; `cut` leaves it out, so that t + 1 positions remain.
    """

    t: int
    seed: int = 0
    change: Change = "others"


def spread(places: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of these places (n,), evenly spread, the first and the last among them."""
    if len(places) <= most:
        return places
    kept = np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))
    return np.asarray(places[kept])


def prefixes(cuts: np.ndarray) -> list[int]:
    """Cuts whose prefixes have many lengths: the three shortest, odd lengths at each quarter, and the longest."""
    n = len(cuts)
    lengths = {1, 2, 3, n // 4 | 1, n // 2 | 1, 3 * n // 4 | 1, n}
    return [int(cuts[length - 1]) for length in sorted(lengths) if 1 <= length <= n]


def listed(numbers: list[int]) -> str:
    """`1, 2 and 5`"""
    words = [str(number) for number in numbers]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def make_generators(cuts: np.ndarray, fills: Sequence[Change], changes: Changes) -> list[Future]:
    """Evenly spread cuts with all that follows replaced; at the first and the middle one also the next position alone, and all
    that follows replaced by each of `fills`; and prefixes of many lengths.
    """
    if not len(cuts):
        return []
    made = [Future(int(t), 1) for t in spread(cuts, CUTS)]
    for t in dict.fromkeys((int(cuts[0]), int(cuts[len(cuts) // 2]))):
        made += [Future(t, 2, "next")] if t != cuts[-1] else []  # after the last cut, only one position is left
        made += [Future(t, 0, change) for change in fills if changes(t, change)]
    return made + [Future(t, 0, "cut") for t in prefixes(cuts)]


def draw_futures(
    cuts: np.ndarray,
    n: int,
    order: Sequence[Change],
    changes: Changes,
    rng: np.random.Generator,
    choose: Callable[[Sequence[int]], int] = operator.itemgetter(-1),
) -> list[Future]:
    """n random cuts with these changes by turns. No t comes twice with the same change before all have come once; a change that
    is used up gives way to `others`. choose: which of the cuts that are left, in random order, comes next.
    """
    drawn: list[Future] = []
    left: dict[Change, list[int]] = {}
    for number in range(n if len(cuts) else 0):
        change = order[number % len(order)]
        if change not in left:
            left[change] = [int(t) for t in rng.permutation(cuts) if changes(int(t), change)]
        if not left[change] and change not in ("others", "next"):
            change = "others"
        if not left.get(change):
            left[change] = [int(t) for t in rng.permutation(cuts)]
        seed = int(rng.integers(2**63)) if change in ("others", "next") else 0
        t = choose(left[change])
        left[change].remove(t)
        drawn.append(Future(t, seed, change))
    return drawn


def swept(cuts: np.ndarray) -> list[Future]:
    """Every cut, or 512 evenly spread ones, with all that follows replaced."""
    return [Future(int(t), 1) for t in spread(cuts, SWEEP)]


def describe(cuts: np.ndarray, kind: str, length: int, unit: str) -> str:
    """`every cut of a text of 5 tokens, prefixes of 1, 2, 3 and 4 tokens`; "" without cuts."""
    if not len(cuts):
        return ""
    every = "every cut" if len(cuts) <= SWEEP else f"{SWEEP} of {len(cuts)} cuts"
    return f"{every} of a {kind} of {length} {unit}, prefixes of {listed([t + 1 for t in prefixes(cuts)])} {unit}"
