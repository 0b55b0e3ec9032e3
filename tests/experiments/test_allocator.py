"""Waiting until a step needs no new memory, with real pages."""

from __future__ import annotations

import mmap

import pytest

from erlangen.experiments.attention_cost.allocator import CALM, FEW, MOST_CALLS, settle
from erlangen.experiments.attention_cost.costs import clocked

PAGE = mmap.PAGESIZE


class Growing:
    """A step that faults in `pages` new pages in those of its calls that are listed."""

    def __init__(self, growing: set[int], pages: int = 2 * FEW):
        self.growing, self.pages, self.calls = growing, pages, 0
        self.held: list[mmap.mmap] = []

    def __call__(self) -> None:
        self.calls += 1
        if self.calls in self.growing:
            self.held.append(mmap.mmap(-1, self.pages * PAGE))
            for page in range(self.pages):
                self.held[-1][page * PAGE] = 1


@pytest.mark.parametrize(
    ("growing", "calls"),
    [
        (set(), CALM),
        ({1}, 1 + CALM),
        ({1, 2, 5}, 5 + CALM),  # it seemed calm for two calls in between
        (set(range(1, 100)), MOST_CALLS),  # memory that is returned each time is faulted in each time
    ],
)  # fmt: skip
def test_it_waits_for_calls_in_a_row_without_new_pages(growing: set[int], calls: int):
    step = Growing(growing)
    assert settle(step) == step.calls == calls


def test_a_few_pages_are_no_growth():
    assert settle(Growing({1, 3}, pages=FEW // 4)) == CALM


def test_the_clock_starts_after_the_growth():
    """A heap that grows in its first calls was seen in one of five processes, and told of faults that no later step had."""
    assert clocked(Growing({1, 3, 6}), 0.0, "cpu")[1] < FEW < clocked(Growing(set(range(100))), 0.0, "cpu")[1]
