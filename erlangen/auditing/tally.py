"""Counts pairs one at a time, and keeps only a few numbers of each."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.pair import Pair

FLOOR = 128  # times eps·RMS(y): the most that rounding adds up to in a deep network
MARGIN = 16  # times the rounding errors of a few outputs: the most that those of many may be
COLUMNS = 4096  # outputs with more columns are judged as a whole only


def rounding_floor(eps: float, amplified: float) -> float:
    """The most that rounding adds up to, in units of RMS(y). amplified: rounding errors that were seen, in units of eps."""
    return eps * max(FLOOR, MARGIN * amplified)


def error_of(expected: Tensor, actual: Tensor, worst_site: bool = False) -> float:
    """RMS(actual - expected) over all entries of both (S, D), or the largest RMS of one site.

    Computed in float64, in units of the output itself. NaN if anything is not finite.
    """
    return rms_of(expected, (actual.double() - expected.double()).square(), worst_site)


def rms_of(expected: Tensor, squares: Tensor, worst_site: bool) -> float:
    """The same from the squares of the difference, (S, D)."""
    sites = squares.mean(1)  # (S,)
    error = float((sites.max() if worst_site else sites.mean()).sqrt())
    return error if math.isfinite(error) and bool(torch.isfinite(expected).all()) else math.nan


def flip_of(expected: Tensor, actual: Tensor) -> bool | None:
    """Whether the largest entry of a vector has another index; None if two entries tie for it. Both (1, D)."""
    top = expected[0].topk(2).values
    if top[0] == top[1]:
        return None
    return bool(expected[0].argmax() != actual[0].argmax())


def with_contrasts(rows: Tensor) -> Tensor:
    """Rows (S, D), followed by their differences from the mean of each row, (S, 2D): these are what a softmax sees."""
    return torch.cat([rows, rows - rows.mean(1, keepdim=True)], 1)


@dataclass(frozen=True, order=True)
class Bad:
    """A pair with a large error. The smallest error sorts first."""

    error: float
    input: int = field(compare=False)
    element: Any = field(compare=False)
    label: str = field(compare=False)
    site: int = field(compare=False)


@dataclass
class Tally:
    """Numbers of the pairs seen so far, by input. Pairs that did not move are counted, but not used."""

    worst_site: bool = False
    classes: bool = False  # whether outputs are vectors, whose largest entry may be the predicted class
    errors: dict[int, list[tuple[float, str, float | None]]] = field(default_factory=dict)
    flips: dict[int, list[bool]] = field(default_factory=dict)
    pairs: int = 0
    unmoved: int = 0
    ties: int = 0
    not_finite: int = 0
    first_not_finite: tuple[int, Any] | None = None  # input and element
    largest: float = 0.0
    scale: float = 0.0  # sum of squares of the expected outputs
    entries: int = 0
    loss: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    refused: dict[str, str] = field(default_factory=dict)  # label -> why, of elements that the model need not take
    worst: list[Bad] = field(default_factory=list)
    columns: dict[int, Tensor] = field(default_factory=dict)  # sums of the RMS errors of each column, (D,)

    def add(self, pair: Pair) -> None:
        """Counts a pair."""
        if pair.refused:
            self.refused.setdefault(pair.label, pair.refused)
            return
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
        expected = pair.expected.double()
        difference = pair.actual.double() - expected  # (S, D)
        squares = difference.square()
        error = rms_of(expected, squares, self.worst_site)
        if not math.isfinite(error):
            self.not_finite += 1
            self.first_not_finite = self.first_not_finite or (pair.input, pair.element)
            return
        self.scale += float(expected.square().sum())
        self.entries += pair.expected.numel()
        self.largest = max(self.largest, error)
        self.errors.setdefault(pair.input, []).append((error, pair.label, pair.size))
        if 1 < squares.shape[1] <= COLUMNS:
            errors = with_contrasts(difference).square().mean(0).sqrt()
            before = self.columns.get(pair.input, torch.zeros_like(errors))
            if before.shape == errors.shape:  # an output of several readings may have columns of several kinds
                self.columns[pair.input] = before + errors
        if self.classes and pair.expected.shape[1] > 1:
            flip = flip_of(pair.expected, pair.actual)
            self.ties += flip is None
            if flip is not None:
                self.flips.setdefault(pair.input, []).append(flip)
        site = int(squares.mean(1).argmax())
        heapq.heappush(self.worst, Bad(error, pair.input, pair.element, pair.label, site))
        if len(self.worst) > 6:
            heapq.heappop(self.worst)

    @property
    def mean_loss(self) -> float:
        """What the elements lost on average, in units of the input's spread."""
        return self.loss / self.pairs if self.pairs else 0.0

    @property
    def rms(self) -> float:
        """RMS of all expected outputs."""
        return math.sqrt(self.scale / self.entries) if self.entries else math.nan


def count(pairs: Iterable[Pair], worst_site: bool, classes: bool) -> Tally:
    """The tally of all pairs of a check."""
    tally = Tally(worst_site, classes)
    for pair in pairs:
        tally.add(pair)
    return tally


@dataclass(frozen=True, kw_only=True)
class Exactness:
    """The largest error on generators, and what rounding adds up to there: FLOOR·eps, or more where it is amplified.

    amplified: rounding errors of the model in units of its eps, where they are known. precision: in which precision, in words.
    """

    tally: Tally
    eps: float
    precision: str
    amplified: float = 0.0

    @property
    def leak(self) -> float:
        """Largest error in units of RMS(y)."""
        tally = self.tally
        return tally.largest / tally.rms if tally.rms > 0 else (0.0 if tally.largest == 0 else math.inf)

    @property
    def floor(self) -> float:
        """In units of RMS(y)."""
        return rounding_floor(self.eps, self.amplified)

    @property
    def holds(self) -> bool:
        """Whether every pair was measured, and no error is above the floor."""
        return self.tally.pairs > 0 and not self.tally.not_finite and not self.tally.failed and self.leak <= self.floor

    def __str__(self) -> str:
        """`largest error 2.6e-16 of RMS(y), within the rounding floor of 2.8e-14, in float64`"""
        if not self.leak:
            return f"no error, {self.precision}"
        side = "within" if self.leak <= self.floor else "above"
        return f"largest error {self.leak:.2g} of RMS(y), {side} the rounding floor of {self.floor:.2g}, {self.precision}"
