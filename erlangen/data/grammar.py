"""Texts drawn from a weighted grammar without cycles, whose entropy, lengths and number of texts are exact.

A rule rewrites a nonterminal by one of its alternatives, drawn in proportion to their weights. An alternative is a template:

    "Once {hero.name} met a {adjective} fox."     literal text, {nonterminal}, {slot.form}

A slot is drawn once a text, at its first mention, and every later mention repeats what was drawn, in one of its forms: name,
pronoun, ... So a text agrees with itself over any distance. Draws are independent of each other, hence, in nats per text,

    H = Σ_A E[expansions of A] H(A) + Σ_s P(s is mentioned) H(s)

is the entropy of derivations: that of texts too where each text has one derivation, above it where several give the same text.
"""

from __future__ import annotations

import math
import random
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate
from typing import Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")


class Nonterminal(NamedTuple):
    """To be rewritten by a rule."""

    name: str


class Bound(NamedTuple):
    """A form of what the slot was drawn to be."""

    slot: str
    form: str


Symbol = str | Nonterminal | Bound


@dataclass(frozen=True)
class Draw(Generic[T]):
    """One of several options, each with its probability."""

    options: tuple[T, ...]
    probabilities: tuple[float, ...]

    @cached_property
    def logs(self) -> tuple[float, ...]:
        return tuple(map(math.log, self.probabilities))

    @cached_property
    def entropy(self) -> float:
        """-Σ p log p in nats."""
        return -math.fsum(p * log for p, log in zip(self.probabilities, self.logs, strict=True))

    @cached_property
    def steps(self) -> tuple[float, ...]:
        """Where in [0, 1) one option ends and the next begins."""
        return tuple(accumulate(self.probabilities[:-1]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Grammar:
    """rules: nonterminal -> {template: weight}; slots: name -> [(weight, {form: text}), ...]. See the module for templates.

    Raises ValueError for a cycle, for a rule, slot or form that is mentioned and missing, and for weights that are not positive.
    """

    start: str
    rules: Mapping[str, Mapping[str, float]]
    slots: Mapping[str, Sequence[tuple[float, Mapping[str, str]]]]

    def __post_init__(self) -> None:
        entries = self.entries
        for name, draw in self.alternatives.items():
            for symbol in {symbol for symbols in draw.options for symbol in symbols}:
                if isinstance(symbol, Nonterminal) and symbol.name not in self.alternatives:
                    raise ValueError(f"rule {name!r} mentions {{{symbol.name}}}, for which there is no rule")
                if isinstance(symbol, Bound) and symbol.slot not in entries:
                    raise ValueError(f"rule {name!r} mentions {{{symbol.slot}.{symbol.form}}}: there is no slot {symbol.slot!r}")
                if isinstance(symbol, Bound) and any(symbol.form not in forms for forms in entries[symbol.slot].options):
                    raise ValueError(f"rule {name!r}: an entry of slot {symbol.slot!r} lacks the form {symbol.form!r}")
        if self.start not in self.alternatives:
            raise ValueError(f"there is no rule for the start {self.start!r}")
        _ = self.order

    @cached_property
    def alternatives(self) -> dict[str, Draw[tuple[Symbol, ...]]]:
        """The rules, parsed, their weights as probabilities."""
        return {
            name: _draw(f"rule {name!r}", ((weight, _symbols(template)) for template, weight in rule.items()))
            for name, rule in self.rules.items()
        }

    @cached_property
    def entries(self) -> dict[str, Draw[dict[str, str]]]:
        """The slots, their weights as probabilities."""
        return {
            name: _draw(f"slot {name!r}", ((weight, dict(forms)) for weight, forms in slot)) for name, slot in self.slots.items()
        }

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The nonterminals, each after all that it mentions. Raises ValueError naming a cycle."""
        inner = {
            name: [symbol.name for symbols in draw.options for symbol in symbols if isinstance(symbol, Nonterminal)]
            for name, draw in self.alternatives.items()
        }
        try:
            return tuple(TopologicalSorter(inner).static_order())
        except CycleError as error:
            raise ValueError(f"the rules have a cycle: {' <- '.join(error.args[1])}") from None

    def derive(self, rng: random.Random) -> tuple[str, float]:
        """A text, and the log-probability of the derivation that gave it."""
        text, log_probability = [], 0.0
        drawn: dict[str, dict[str, str]] = {}
        stack: list[Symbol] = [Nonterminal(self.start)]
        while stack:
            symbol = stack.pop()
            if isinstance(symbol, str):
                text.append(symbol)
                continue
            if isinstance(symbol, Nonterminal):
                rule = self.alternatives[symbol.name]
                i = bisect_right(rule.steps, rng.random())
                stack.extend(reversed(rule.options[i]))
                log_probability += rule.logs[i]
                continue
            slot, form = symbol
            if slot not in drawn:
                entry = self.entries[slot]
                i = bisect_right(entry.steps, rng.random())
                drawn[slot] = entry.options[i]
                log_probability += entry.logs[i]
            text.append(drawn[slot][form])
        return "".join(text), log_probability

    def sample(self, rng: random.Random) -> str:
        return self.derive(rng)[0]

    @cached_property
    def expected(self) -> dict[Symbol, float]:
        """How often each symbol comes up in a text, in the mean."""
        times: defaultdict[Symbol, float] = defaultdict(float, {Nonterminal(self.start): 1.0})
        for name in reversed(self.order):
            draw = self.alternatives[name]
            for p, symbols in zip(draw.probabilities, draw.options, strict=True):
                for symbol in symbols:
                    times[symbol] += p * times[Nonterminal(name)]
        return dict(times)

    def mentioned(self, slot: str) -> float:
        """The probability that a text mentions the slot."""
        never: dict[str, float] = {}
        for name in self.order:
            draw = self.alternatives[name]
            never[name] = math.fsum(
                p * math.prod(never[s.name] if isinstance(s, Nonterminal) else float(s[:1] != (slot,)) for s in symbols)
                for p, symbols in zip(draw.probabilities, draw.options, strict=True)
            )
        return 1 - never[self.start]

    @cached_property
    def entropy(self) -> float:
        """Of derivations, in nats per text."""
        rules = (
            self.expected[Nonterminal(n)] * d.entropy for n, d in self.alternatives.items() if Nonterminal(n) in self.expected
        )
        slots = (self.mentioned(name) * draw.entropy for name, draw in self.entries.items())
        return math.fsum(rules) + math.fsum(slots)

    @cached_property
    def expected_length(self) -> float:
        """Mean number of characters of a text. What a slot is drawn to be and how often it is mentioned are independent."""
        return math.fsum(times * self._mean_length(symbol) for symbol, times in self.expected.items())

    def _mean_length(self, symbol: Symbol) -> float:
        if isinstance(symbol, Bound):
            draw = self.entries[symbol.slot]
            return math.fsum(p * len(forms[symbol.form]) for p, forms in zip(draw.probabilities, draw.options, strict=True))
        return len(symbol) if isinstance(symbol, str) else 0.0

    @cached_property
    def longest(self) -> int:
        """Characters of the longest text."""
        return self._extreme(1)

    @cached_property
    def shortest(self) -> int:
        """Characters of the shortest text."""
        return self._extreme(-1)

    def _extreme(self, sign: Literal[1, -1]) -> int:
        """sign = 1: most characters, -1: fewest.

        A derivation counts as a vector: its literal characters, then its mentions of each form. One that no component speaks
        for is dropped, whatever the slots are drawn to be.
        """
        mentions = [symbol for symbol in self.expected if isinstance(symbol, Bound)]
        unit = {m: tuple(int(m == other) for other in (None, *mentions)) for m in mentions}
        zero = (0,) * (1 + len(mentions))
        best: dict[str, set[tuple[int, ...]]] = {}
        for name in self.order:
            vectors: set[tuple[int, ...]] = set()
            for symbols in self.alternatives[name].options:
                sums = {zero}
                for s in symbols:
                    parts = (
                        best[s.name] if isinstance(s, Nonterminal) else {unit.get(s, zero) if s in unit else (len(s), *zero[1:])}
                    )
                    sums = _undominated({tuple(map(sum, zip(a, b, strict=True))) for a in sums for b in parts}, sign)
                vectors |= sums
            best[name] = _undominated(vectors, sign)
        return sign * max(sign * self._length(v[0], dict(zip(mentions, v[1:], strict=True)), sign) for v in best[self.start])

    def _length(self, literal: int, counts: dict[Bound, int], sign: int) -> int:
        for slot, draw in self.entries.items():
            own = [(mention.form, n) for mention, n in counts.items() if mention.slot == slot]
            literal += sign * max(sign * sum(n * len(forms[form]) for form, n in own) for forms in draw.options)
        return literal

    @cached_property
    def derivations(self) -> int:
        """How many there are: of texts too where each has one derivation."""
        ways: dict[str, Counter[frozenset[str]]] = {}  # by the slots that are mentioned
        for name in self.order:
            ways[name] = Counter()
            for symbols in self.alternatives[name].options:
                sums = Counter({frozenset[str](): 1})
                for s in symbols:
                    parts = ways[s.name] if isinstance(s, Nonterminal) else {frozenset(s[:1] if isinstance(s, Bound) else ()): 1}
                    sums, before = Counter(), sums
                    for a, n in before.items():
                        for b, m in parts.items():
                            sums[a | b] += n * m
                ways[name].update(sums)
        return sum(n * math.prod(len(self.entries[slot].options) for slot in slots) for slots, n in ways[self.start].items())


def _symbols(template: str) -> tuple[Symbol, ...]:
    """'a {b} {c.d}' -> ('a ', Nonterminal('b'), ' ', Bound('c', 'd'))."""
    parts = re.split(r"\{([^{}]+)\}", template)
    symbols: list[Symbol] = []
    for i, part in enumerate(parts):
        if i % 2 == 0:
            if "{" in part or "}" in part:
                raise ValueError(f"unmatched brace in {template!r}")
            symbols += [part] if part else []
        else:
            slot, dot, form = part.partition(".")
            symbols.append(Bound(slot, form) if dot else Nonterminal(part))
    return tuple(symbols)


def _draw(what: str, weighted: Iterable[tuple[float, T]]) -> Draw[T]:
    weights, options = zip(*weighted, strict=True) if (weighted := list(weighted)) else ((), ())
    total = math.fsum(weights)
    if not all(weight > 0 for weight in weights) or not 0 < total < math.inf:
        raise ValueError(f"{what}: weights must be positive and finite, and at least one, got {list(weights)}")
    return Draw(options, tuple(weight / total for weight in weights))


def _undominated(vectors: set[tuple[int, ...]], sign: int) -> set[tuple[int, ...]]:
    def beaten(v: tuple[int, ...]) -> bool:
        return any(w != v and all(sign * a >= sign * b for a, b in zip(w, v, strict=True)) for w in vectors)

    return {v for v in vectors if not beaten(v)}
