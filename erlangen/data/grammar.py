"""Texts drawn from a weighted grammar without cycles, whose entropy and mean length are known exactly.

A rule replaces a nonterminal by one of its alternatives, drawn in proportion to their weights. An alternative is a template:

    "Once {hero.name} met a {adjective} fox."     literal text, {nonterminal}, {slot.form}

A slot is drawn once per text, at its first mention, and every later mention repeats the draw in one of its forms: name,
pronoun, ... So a text is consistent over any distance. All draws are independent, hence, in nats per text,

    H = Σ_A E[expansions of A] H(A) + Σ_s P(s is mentioned) H(s)

is the entropy of the derivations. It equals the entropy of the texts if each text has one derivation, and exceeds it otherwise.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from erlangen.data.template import Bound, Draw, Nonterminal, Symbol, draw_of, symbols_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Grammar:
    """A weighted grammar. rules: nonterminal -> {template: weight}; slots: name -> [(weight, {form: text}), ...].

    The module's docstring describes templates. Raises ValueError for a cycle, for a rule, slot or form that is mentioned but not
    defined, and for weights that are not positive.
    """

    start: str
    rules: Mapping[str, Mapping[str, float]]
    slots: Mapping[str, Sequence[tuple[float, Mapping[str, str]]]]

    def __post_init__(self) -> None:
        entries = self.entries
        for name, draw in self.alternatives.items():
            for symbol in {symbol for symbols in draw.options for symbol in symbols}:
                if isinstance(symbol, Nonterminal) and symbol.name not in self.alternatives:
                    raise ValueError(f"rule {name!r} mentions {{{symbol.name}}}, for which there is no rule: add one")
                if isinstance(symbol, Bound) and symbol.slot not in entries:
                    raise ValueError(
                        f"rule {name!r} mentions {{{symbol.slot}.{symbol.form}}}, but there is no slot {symbol.slot!r}: add it"
                    )
                if isinstance(symbol, Bound) and any(symbol.form not in forms for forms in entries[symbol.slot].options):
                    raise ValueError(f"rule {name!r}: an entry of slot {symbol.slot!r} lacks the form {symbol.form!r}: add it")
        if self.start not in self.alternatives:
            raise ValueError(f"there is no rule for the start symbol {self.start!r}: add one")
        _ = self.order

    @cached_property
    def alternatives(self) -> dict[str, Draw[tuple[Symbol, ...]]]:
        """The parsed rules, with weights converted to probabilities."""
        return {
            name: draw_of(f"rule {name!r}", ((weight, symbols_of(template)) for template, weight in rule.items()))
            for name, rule in self.rules.items()
        }

    @cached_property
    def entries(self) -> dict[str, Draw[dict[str, str]]]:
        """The slots, with weights converted to probabilities."""
        return {
            name: draw_of(f"slot {name!r}", ((weight, dict(forms)) for weight, forms in slot))
            for name, slot in self.slots.items()
        }

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The nonterminals, each after those that it mentions. Raises ValueError, which names the cycle, if there is one."""
        inner = {
            name: [symbol.name for symbols in draw.options for symbol in symbols if isinstance(symbol, Nonterminal)]
            for name, draw in self.alternatives.items()
        }
        try:
            return tuple(TopologicalSorter(inner).static_order())
        except CycleError as error:
            raise ValueError(f"the rules have a cycle: {' <- '.join(error.args[1])}: remove one of these mentions") from None

    def derive(self, rng: random.Random) -> tuple[str, float]:
        """A random text and the log-probability of its derivation, in nats."""
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
        """A random text."""
        return self.derive(rng)[0]

    @cached_property
    def expected(self) -> dict[Symbol, float]:
        """The expected number of times that each symbol occurs in a text."""
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
        """The entropy of derivations, in nats per text."""
        rules = (
            self.expected[Nonterminal(n)] * d.entropy for n, d in self.alternatives.items() if Nonterminal(n) in self.expected
        )
        slots = (self.mentioned(name) * draw.entropy for name, draw in self.entries.items())
        return math.fsum(rules) + math.fsum(slots)

    @cached_property
    def expected_length(self) -> float:
        """The mean number of characters in a text. The draw of a slot and its number of mentions are independent."""
        return math.fsum(times * self._mean_length(symbol) for symbol, times in self.expected.items())

    def _mean_length(self, symbol: Symbol) -> float:
        if isinstance(symbol, Bound):
            draw = self.entries[symbol.slot]
            return math.fsum(p * len(forms[symbol.form]) for p, forms in zip(draw.probabilities, draw.options, strict=True))
        return len(symbol) if isinstance(symbol, str) else 0.0
