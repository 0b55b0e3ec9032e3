"""How often the best predictor that sees no order is right, exactly.

A view is what such a predictor knows: which tokens came, how often each, and which one was last. It is right most often if it
always names the likeliest answer to its view:

    bound = Σ over views of max over answers of P(view, answer)

No probabilities that it could give instead are higher on the right answers on average, so the bound of their mean is the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from fractions import Fraction
from itertools import permutations

from erlangen.experiments.word_order.tasks import MARKS, OTHER_TOKENS, SPAN, PuzzleName


def best_unordered(cases: Iterable[tuple[Hashable, Hashable]]) -> Fraction:
    """The bound for (view, answer) pairs that are equally likely."""
    answers: defaultdict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for view, answer in cases:
        answers[view][answer] += 1
    total = sum(counts.total() for counts in answers.values())
    return Fraction(sum(max(counts.values()) for counts in answers.values()), total)


def marks_bound(others: int = OTHER_TOKENS) -> Fraction:
    """All ordered pairs of places of the two marks. The other tokens are independent of the places, so one set of them does."""
    places = permutations(range(MARKS + others), MARKS)
    return best_unordered((("both marks", "question mark"), first < second) for first, second in places)


def reverse_bound(span: int = SPAN) -> Fraction:
    """The mean of 1 / (tokens left): each token that was not given yet is as likely as any other to be the next.

    (1/n) Σ over k < n of 1 / (n - k) = H_n / n
    """
    return sum((Fraction(1, span - given) for given in range(span)), Fraction(0)) / span


def bound(puzzle: PuzzleName) -> float:
    """In percent."""
    return 100 * float(marks_bound() if puzzle == "marks" else reverse_bound())
