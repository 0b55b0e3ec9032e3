"""The parts of a grammar's rules: templates, which are parsed into symbols, and weighted draws.

"Once {hero.name} met a {adjective} fox."     literal text, {nonterminal}, {slot.form}
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Nonterminal(NamedTuple):
    """A symbol that a rule replaces."""

    name: str


class Bound(NamedTuple):
    """A mention of a slot, in one form of the entry that is drawn for it."""

    slot: str
    form: str


Symbol = str | Nonterminal | Bound


@dataclass(frozen=True)
class Draw(Generic[T]):
    """A draw of one of several options, each with its probability."""

    options: tuple[T, ...]
    probabilities: tuple[float, ...]

    @cached_property
    def logs(self) -> tuple[float, ...]:
        """The log-probabilities in nats."""
        return tuple(map(math.log, self.probabilities))

    @cached_property
    def entropy(self) -> float:
        """-Σ p log p in nats."""
        return -math.fsum(p * log for p, log in zip(self.probabilities, self.logs, strict=True))

    @cached_property
    def steps(self) -> tuple[float, ...]:
        """The points in [0, 1) at which one option ends and the next begins."""
        return tuple(accumulate(self.probabilities[:-1]))


def symbols_of(template: str) -> tuple[Symbol, ...]:
    """'a {b} {c.d}' -> ('a ', Nonterminal('b'), ' ', Bound('c', 'd')). Raises ValueError for an unmatched brace."""
    parts = re.split(r"\{([^{}]+)\}", template)
    symbols: list[Symbol] = []
    for i, part in enumerate(parts):
        if i % 2 == 0:
            if "{" in part or "}" in part:
                raise ValueError(f"there is an unmatched brace in the template {template!r}")
            symbols += [part] if part else []
        else:
            slot, dot, form = part.partition(".")
            symbols.append(Bound(slot, form) if dot else Nonterminal(part))
    return tuple(symbols)


def draw_of(what: str, weighted: Iterable[tuple[float, T]]) -> Draw[T]:
    """Options drawn in proportion to their weights. Raises ValueError, which names `what`, unless all are positive and finite."""
    weights, options = zip(*weighted, strict=True) if (weighted := list(weighted)) else ((), ())
    total = math.fsum(weights)
    if not all(weight > 0 for weight in weights) or not 0 < total < math.inf:
        raise ValueError(f"{what}: there must be at least one weight, and all must be positive and finite: got {list(weights)}")
    return Draw(options, tuple(weight / total for weight in weights))
