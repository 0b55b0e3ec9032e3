"""Registers: every answer is where it should be, the same everywhere in density, and unknown to a window of a chunk."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, strategies as st

from erlangen.data.registers import (
    CHANCE,
    CHUNK,
    CHUNKS,
    FAR,
    FILLERS,
    FIRST_ASK,
    FIRST_SET,
    FIRST_VALUE,
    LENGTH,
    SETS,
    VALUES,
    VARIABLES,
    VOCABULARY,
    Registers,
    registers,
)

MANY = {False: registers(300, 1), True: registers(300, 2, far=True)}


def followed(tokens: list[int]) -> dict[int, int]:
    """A plain reader: the place of each ask -> the place of its set, -1 where there is none. Fails where an answer is wrong."""
    held: dict[int, tuple[int, int]] = {}
    asked: set[int] = set()
    found = {}
    for place in range(0, len(tokens), 2):
        first, second = tokens[place : place + 2]
        if first >= FIRST_SET:
            variable, value = divmod(first - FIRST_SET, VALUES)
            assert variable not in held  # never set twice
            assert variable not in asked  # never asked before
            assert second < FILLERS
            held[variable] = (value, place)
        elif first >= FIRST_ASK:
            variable = first - FIRST_ASK
            assert variable not in asked
            asked.add(variable)
            value, found[place] = held.get(variable, (second - FIRST_VALUE, -1))
            assert second == FIRST_VALUE + value
        else:
            assert max(first, second) < FILLERS
    return found


@pytest.mark.parametrize("far", [False, True])
def test_every_answer_is_the_value_that_was_set(far: bool):
    made = MANY[far]
    assert made.tokens.shape == made.source.shape == (300, LENGTH)
    for tokens, source in zip(made.tokens.tolist(), made.source.tolist(), strict=True):
        expected = followed(tokens)
        assert {place: at for place, at in enumerate(source) if at > -2} == expected
        assert all(at < place for place, at in expected.items())


@pytest.mark.parametrize("far", [False, True])
def test_every_chunk_has_as_many_sets_and_asks(far: bool):
    made = MANY[far]
    for marked in (made.tokens >= FIRST_SET, made.asks()):
        assert (marked.view(-1, CHUNKS, CHUNK).sum(2) == SETS).all()
    assert not made.asks()[:, 1::2].any()


def test_near_answers_alone_are_set_in_the_same_chunk():
    made = MANY[False]
    place = torch.arange(LENGTH).expand_as(made.source)[made.asks()]
    assert (made.source[made.asks()] // CHUNK == place // CHUNK).all()


def test_far_answers_are_further_back_than_a_chunk_and_as_many_as_promised():
    made = MANY[True]
    place = torch.arange(LENGTH)
    known = made.source >= 0
    other = known & (made.source // CHUNK != place // CHUNK)
    assert (other.view(-1, CHUNKS, CHUNK).sum(2) == torch.tensor(FAR)).all()
    lags = (place - made.source)[other]
    assert lags.min() > CHUNK
    last = (place - made.source)[:, -CHUNK:][other[:, -CHUNK:]]
    assert all((last > 64 * k).float().mean() > 0.1 for k in range(1, 6))  # over all of the episode


def test_nothing_is_unknown_in_the_last_chunk_but_what_is_far():
    assert (MANY[True].source[:, -CHUNK:] != -1).all()


@pytest.mark.parametrize("far", [False, True])
def test_values_and_variables_are_uniform(far: bool):
    tokens = MANY[far].tokens
    for first, count in ((0, FILLERS), (FIRST_VALUE, VALUES), (FIRST_ASK, VARIABLES), (FIRST_SET, VARIABLES * VALUES)):
        counts = torch.bincount(tokens.flatten(), minlength=VOCABULARY)[first : first + count].double()
        expected = counts.mean()
        assert ((counts - expected).square().sum() / expected) < count + 6 * math.sqrt(2 * count)  # a loose chi-squared


def test_a_window_of_a_chunk_knows_nothing_of_a_far_answer():
    """The best guess from the chunk's own sets and values, by counting, is no better than chance."""
    made = registers(4000, 3, far=True)
    place = torch.arange(LENGTH)
    rows, at = torch.nonzero((made.source >= 0) & (place - made.source > CHUNK) & (place >= LENGTH - CHUNK), as_tuple=True)
    answer = made.tokens[rows, at + 1] - FIRST_VALUE
    n = len(answer)
    assert n == 3 * 4000
    for guess in (
        (made.tokens[rows, -CHUNK:] - FIRST_SET).clamp(min=0).max(1).values % VALUES,  # the value of a set in the window
        made.tokens[rows, at] % VALUES,  # made of the variable
        (made.tokens[rows, -CHUNK:] >= FIRST_SET).int().argmax(1) % VALUES,  # made of the place of a set
    ):
        right = int((guess == answer).sum())
        assert abs(right - n / VALUES) < 4 * math.sqrt(n * 3 / 16)
    assert pytest.approx(math.log(4)) == CHANCE


def test_lags_of_near_answers_do_not_depend_on_the_kind():
    """Near answers of the two kinds look alike: nothing in a window tells a test from training."""
    place = torch.arange(LENGTH)
    means = []
    for made in MANY.values():
        near = (made.source >= 0) & (made.source // CHUNK == place // CHUNK)
        means.append(float((place - made.source)[near].double().mean()))
    assert abs(means[0] - means[1]) < 0.5


@given(st.integers(0, 2**32), st.integers(1, 5), st.booleans())
def test_a_seed_repeats_them(seed: int, episodes: int, far: bool):
    one, other = registers(episodes, seed, far=far), registers(episodes, seed, far=far)
    assert torch.equal(one.tokens, other.tokens)
    assert torch.equal(one.source, other.source)
    assert len(one.tokens) == episodes


def test_seeds_differ_and_no_episode_comes_twice():
    assert not torch.equal(registers(2, 1).tokens, registers(2, 2).tokens)
    assert max(Counter(map(tuple, MANY[True].tokens.tolist())).values()) == 1


def test_an_ask_is_not_a_source():
    made: Registers = MANY[True]
    assert made.asks().sum() == 300 * CHUNKS * SETS
    assert (made.tokens[made.asks()] >= FIRST_ASK).all()
    assert (made.tokens[made.asks()] < FIRST_SET).all()
