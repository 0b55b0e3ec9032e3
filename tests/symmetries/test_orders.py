import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from erlangen.symmetries import orders
from erlangen.symmetries.orders import Order

things = st.lists(st.integers(0, 3), max_size=6).map(np.array)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_swap_and_cycle_make_up_all_orders(n: int) -> None:
    made = [tuple(g.on(n).tolist()) for g in orders.generators(np.arange(n))]
    found = fresh = {tuple(range(n))}
    while fresh:
        fresh = {tuple(order[k] for k in g) for order in fresh for g in made} - found
        found = found | fresh
    assert found == set(itertools.permutations(range(n)))


@given(things)
def test_arrangements_are_counted(row: np.ndarray) -> None:
    assert orders.count_arrangements(row) == len(set(itertools.permutations(row.tolist())))


@given(things, st.integers(0, 30))
def test_all_arrangements_are_found_and_none_twice(row: np.ndarray, n: int) -> None:
    drawn = orders.elements(row, n, np.random.default_rng(0))
    arranged = {tuple(row[g.on(len(row)).numpy()].tolist()) for g in drawn}
    assert len(arranged) == len(drawn) == min(n, orders.count_arrangements(row) - 1)
    assert tuple(row.tolist()) not in arranged


@given(things, st.booleans())
def test_generators_differ_from_each_other_and_from_the_identity(row: np.ndarray, fixed: bool) -> None:
    arranged = [tuple(row[g.on(len(row)).numpy()].tolist()) for g in orders.generators(row, fixed)]
    assert len({*arranged, tuple(row.tolist())}) == len(arranged) + 1
    assert arranged or orders.count_arrangements(row) == 1


def test_random_orders_are_uniform() -> None:
    """Each of the five orders of three things that move any, 3000 draws: a count is off by 5 sigma once in a million."""
    rng = np.random.default_rng(0)
    counts = Counter(tuple(orders.elements(np.arange(3), 1, rng)[0].on(3).tolist()) for _ in range(3000))
    assert len(counts) == 5
    assert all(abs(count - 600) < 5 * math.sqrt(600 * 0.8) for count in counts.values())


@given(st.sampled_from([Order("swap", first=4), Order("cycle"), Order("random", seed=3)]), st.integers(0, 9))
def test_any_number_of_things_can_be_ordered(g: Order, n: int) -> None:
    assert sorted(g.on(n).tolist()) == list(range(n))
    assert n < 2 or g.on(n).tolist() != list(range(n))


def test_words_and_shares() -> None:
    swap, cycle = orders.generators(np.arange(12))
    assert (swap.describe("nodes"), swap.moved) == ("nodes 0<->1", 2 / 12)
    assert (cycle.describe("nodes"), cycle.moved) == ("cycle of 12 nodes", 1.0)
    third = orders.elements(np.arange(12), 3, np.random.default_rng(0))[2]
    assert third.describe("nodes") == "random order #3"
    assert third.moved == float((third.on(12) != torch.arange(12)).double().mean())
    assert orders.generators(np.array([5, 5, 5, 2]))[0].describe("tokens") == "tokens 2<->3", (
        "equal tokens swapped are the same text"
    )
