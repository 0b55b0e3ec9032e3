"""The true probability of each character of a text from a grammar, given all characters before it.

A state is what a derivation still has to write: the rest of a literal, the stack of symbols below it, and the slots drawn so far.
The forward filter keeps the weights of all states that can have written the prefix,

    p(c | prefix) = Σ_{states whose next character is c} weight,        Σ weights = 1,

then keeps the states that match the character, advances them by it, expands those whose literal has ended, and merges equal ones:
all derivations of the prefix count. If only one state is left, its whole literal is certain and is read at once.
Time grows with the number of states that a prefix leaves open, memory with the number of stacks that occurred.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from erlangen.data.grammar import Grammar
from erlangen.data.template import Bound, Nonterminal, Symbol


class _Stack:
    """Symbols that are still to be written, top first. Only `push` makes them, so that equal stacks are the same object."""

    def __init__(self, grammar: Grammar, top: Symbol = "", below: _Stack | None = None) -> None:
        self.grammar, self.top, self.below = grammar, top, below
        self.above: dict[Symbol, _Stack] = {}
        self.rewritten: list[tuple[float, str | Bound, _Stack]] | None = None

    def push(self, symbol: Symbol) -> _Stack:
        if symbol not in self.above:
            self.above[symbol] = _Stack(self.grammar, symbol, self)
        return self.above[symbol]

    def heads(self) -> list[tuple[float, str | Bound, _Stack]]:
        """(weight, next literal or mention, stack below it) for every way to expand the top; the literal is "" at the end."""
        if self.rewritten is None:
            if self.below is None:
                return [(1.0, "", self)]
            if not isinstance(self.top, Nonterminal):
                return [(1.0, self.top, self.below)]
            draw = self.grammar.alternatives[self.top.name]
            self.rewritten = []
            for p, symbols in zip(draw.probabilities, draw.options, strict=True):
                stack = self.below
                for symbol in reversed(symbols):
                    stack = stack.push(symbol)
                self.rewritten += [(p * weight, head, rest) for weight, head, rest in stack.heads()]
        return self.rewritten


State = tuple[str, _Stack, tuple[int, ...]]
"""The literal still to be written ("" at the end), the stack below it, and the entry of each slot (-1: not drawn yet)."""


@lru_cache(maxsize=16)
def _empty(grammar: Grammar) -> tuple[_Stack, dict[str, int]]:
    return _Stack(grammar), {slot: i for i, slot in enumerate(grammar.entries)}


def _states(stack: _Stack, drawn: tuple[int, ...], places: dict[str, int]) -> list[tuple[float, State]]:
    """The states after expanding the stack, with their weights."""
    out: list[tuple[float, State]] = []
    for weight, head, rest in stack.heads():
        if isinstance(head, str):
            out.append((weight, (head, rest, drawn)))
            continue
        place, entries = places[head.slot], stack.grammar.entries[head.slot]
        known = drawn[place]
        for i, p in enumerate(entries.probabilities) if known < 0 else [(known, 1.0)]:
            now = (*drawn[:place], i, *drawn[place + 1 :])
            text = entries.options[i][head.form]
            if text:
                out.append((weight * p, (text, rest, now)))
            else:
                out += [(weight * p * w, state) for w, state in _states(rest, now, places)]
    return out


def _follow(grammar: Grammar, text: str) -> tuple[np.ndarray, list[tuple[float, State]]]:
    """log p of every character of `text`, and the weighted states after it; no states if the text is impossible."""
    empty, places = _empty(grammar)
    belief = _states(empty.push(Nonterminal(grammar.start)), (-1,) * len(places), places)
    logs, i = np.zeros(len(text)), 0
    while i < len(text):
        if len(belief) == 1:
            _, (literal, rest, drawn) = belief[0]
            if literal and text.startswith(literal, i):
                i += len(literal)
                belief = _states(rest, drawn, places)
                continue
        character = text[i]
        kept = [(weight, state) for weight, state in belief if state[0][:1] == character]
        total = math.fsum(weight for weight, _ in kept)
        if not kept:
            logs[i:] = -math.inf
            return logs, []
        logs[i] = math.log(min(total, 1.0))
        belief = _advance(kept, total, places)
        i += 1
    return logs, belief


def _advance(kept: list[tuple[float, State]], total: float, places: dict[str, int]) -> list[tuple[float, State]]:
    """The states one character later: equal states are merged and the weights divided by their total."""
    weights: dict[State, float] = {}
    for weight, (literal, rest, drawn) in kept:
        for w, state in [(1.0, (literal[1:], rest, drawn))] if len(literal) > 1 else _states(rest, drawn, places):
            weights[state] = weights.get(state, 0.0) + weight * w / total
    return [(weight, state) for state, weight in weights.items()]


def character_log_probabilities(grammar: Grammar, text: str) -> np.ndarray:
    """log p(c_i | c_<i) of each character in nats, (len(text),); -inf from the first character that the grammar cannot write."""
    return _follow(grammar, text)[0]


def next_character(grammar: Grammar, prefix: str) -> dict[str, float]:
    """The probability of every character that can follow; "" stands for the end. Empty if no text begins with `prefix`."""
    out: dict[str, float] = {}
    for weight, (literal, _, _) in _follow(grammar, prefix)[1]:
        out[literal[:1]] = out.get(literal[:1], 0.0) + weight
    return out


def log_probability(grammar: Grammar, text: str) -> float:
    """log p of the whole `text` in nats, including its end, summed over all its derivations; -inf if it has none."""
    logs, belief = _follow(grammar, text)
    end = math.fsum(weight for weight, (literal, _, _) in belief if not literal)
    return math.fsum(logs) + math.log(min(end, 1.0)) if end > 0 else -math.inf
