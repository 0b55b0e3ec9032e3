"""Pairs come one at a time and are let go; what is kept of each are a few numbers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.pair import Pair


def error_of(expected: Tensor, actual: Tensor, worst_site: bool = False) -> float:
    """RMS of actual - expected over its entries, (S, D) both; worst_site: the largest RMS of one site.

    In units of the output itself; float64 whatever came in. NaN where anything is not finite.
    """
    difference = actual.double() - expected.double()  # (S, D)
    if not (torch.isfinite(expected).all() and torch.isfinite(difference).all()):
        return math.nan
    sites = difference.square().mean(1)  # (S,)
    return float((sites.max() if worst_site else sites.mean()).sqrt())


def flip_of(expected: Tensor, actual: Tensor) -> bool | None:
    """Whether the largest of one vector's entries is another one; None for a tie, where there is no largest. (1, D) both."""
    top = expected[0].topk(2).values
    if top[0] == top[1]:
        return None
    return bool(expected[0].argmax() != actual[0].argmax())


@dataclass(frozen=True, order=True)
class Bad:
    """A pair with a large error; the least comes first."""

    error: float
    input: int = field(compare=False)
    element: Any = field(compare=False)
    label: str = field(compare=False)
    site: int = field(compare=False)


@dataclass
class Tally:
    """Numbers of the pairs seen so far, by input. Unmoved pairs are counted and set aside."""

    worst_site: bool = False
    classes: bool = False  # whether an output is one vector, whose largest entry may be a class
    errors: dict[int, list[tuple[float, str, float | None]]] = field(default_factory=dict)
    flips: dict[int, list[bool]] = field(default_factory=dict)
    pairs: int = 0
    unmoved: int = 0
    ties: int = 0
    not_finite: int = 0
    largest: float = 0.0
    scale: float = 0.0  # Σ of squares, then RMS, of what was expected
    entries: int = 0
    loss: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    worst: list[Bad] = field(default_factory=list)

    def add(self, pair: Pair) -> None:
        """One pair more."""
        if pair.failure:
            self.failed += 1
            if len(self.failures) < 20:
                self.failures.setdefault(pair.label, pair.failure)
            return
        assert pair.expected is not None
        assert pair.actual is not None
        if not pair.moved:
            self.unmoved += 1
            return
        self.pairs += 1
        self.loss += pair.loss
        error = error_of(pair.expected, pair.actual, self.worst_site)
        if not math.isfinite(error):
            self.not_finite += 1
            return
        self.scale += float(pair.expected.double().square().sum())
        self.entries += pair.expected.numel()
        self.largest = max(self.largest, error)
        self.errors.setdefault(pair.input, []).append((error, pair.label, pair.size))
        if self.classes and pair.expected.shape[1] > 1:
            flip = flip_of(pair.expected, pair.actual)
            self.ties += flip is None
            if flip is not None:
                self.flips.setdefault(pair.input, []).append(flip)
        site = int((pair.actual.double() - pair.expected.double()).square().mean(1).argmax())
        heapq.heappush(self.worst, Bad(error, pair.input, pair.element, pair.label, site))
        if len(self.worst) > 6:
            heapq.heappop(self.worst)

    def rms(self) -> float:
        """RMS of all that was expected."""
        return math.sqrt(self.scale / self.entries) if self.entries else math.nan


def tally(pairs: Iterable[Pair], worst_site: bool, classes: bool) -> Tally:
    """All pairs of a check."""
    found = Tally(worst_site, classes)
    for pair in pairs:
        found.add(pair)
    return found
