"""The extent of a grammar: its longest and its shortest text and its number of derivations, all exact."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import Literal

from erlangen.data.grammar import Grammar
from erlangen.data.template import Bound, Nonterminal

Vector = tuple[int, ...]


@lru_cache(maxsize=16)
def longest(grammar: Grammar) -> int:
    """The number of characters in the longest text."""
    return _extreme(grammar, 1)


@lru_cache(maxsize=16)
def shortest(grammar: Grammar) -> int:
    """The number of characters in the shortest text."""
    return _extreme(grammar, -1)


def derivations(grammar: Grammar) -> int:
    """The number of derivations, which is also the number of texts if each text has one derivation."""
    ways: dict[str, Counter[frozenset[str]]] = {}  # by the slots that are mentioned
    for name in grammar.order:
        ways[name] = Counter()
        for symbols in grammar.alternatives[name].options:
            sums = Counter({frozenset[str](): 1})
            for s in symbols:
                parts = ways[s.name] if isinstance(s, Nonterminal) else {frozenset(s[:1] if isinstance(s, Bound) else ()): 1}
                sums, before = Counter(), sums
                for a, n in before.items():
                    for b, m in parts.items():
                        sums[a | b] += n * m
            ways[name].update(sums)
    return sum(n * math.prod(len(grammar.entries[slot].options) for slot in slots) for slots, n in ways[grammar.start].items())


def _extreme(grammar: Grammar, sign: Literal[1, -1]) -> int:
    """The characters of the longest text (sign = 1) or of the shortest (sign = -1).

    Each derivation is a vector: its number of literal characters, then how often it mentions each form. A vector that another one
    beats in every component is dropped, because it cannot win for any draw of the slots.
    """
    mentions = [symbol for symbol in grammar.expected if isinstance(symbol, Bound)]
    unit = {m: tuple(int(m == other) for other in (None, *mentions)) for m in mentions}
    zero = (0,) * (1 + len(mentions))
    best: dict[str, set[Vector]] = {}
    for name in grammar.order:
        vectors: set[Vector] = set()
        for symbols in grammar.alternatives[name].options:
            sums = {zero}
            for s in symbols:
                parts = best[s.name] if isinstance(s, Nonterminal) else {unit.get(s, zero) if s in unit else (len(s), *zero[1:])}
                sums = _undominated({tuple(map(sum, zip(a, b, strict=True))) for a in sums for b in parts}, sign)
            vectors |= sums
        best[name] = _undominated(vectors, sign)
    return sign * max(sign * _length(grammar, v[0], dict(zip(mentions, v[1:], strict=True)), sign) for v in best[grammar.start])


def _length(grammar: Grammar, literal: int, counts: dict[Bound, int], sign: int) -> int:
    for slot, draw in grammar.entries.items():
        mentions = [(mention.form, n) for mention, n in counts.items() if mention.slot == slot]
        literal += sign * max(sign * sum(n * len(forms[form]) for form, n in mentions) for forms in draw.options)
    return literal


def _undominated(vectors: set[Vector], sign: int) -> set[Vector]:
    def beaten(v: Vector) -> bool:
        return any(w != v and all(sign * a >= sign * b for a, b in zip(w, v, strict=True)) for w in vectors)

    return {v for v in vectors if not beaten(v)}
