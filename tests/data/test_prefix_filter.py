"""The filter against all texts of small grammars, ambiguous ones among them, with their probabilities."""

import math
import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from support.small_grammars import grammars, texts

from erlangen.data.extent import derivations
from erlangen.data.grammar import Grammar
from erlangen.data.prefix_filter import character_log_probabilities, log_probability, next_character


def prefixes(every: dict[str, float]) -> dict[str, float]:
    """Every prefix with the probability that a text begins with it."""
    total: defaultdict[str, float] = defaultdict(float)
    for text, p in every.items():
        for i in range(len(text) + 1):
            total[text[:i]] += p
    return total


@given(grammars())
def test_texts_have_their_probability_and_add_up_to_one(grammar: Grammar) -> None:
    every = texts(grammar)
    for text, p in every.items():
        assert log_probability(grammar, text) == pytest.approx(math.log(p), abs=1e-9)
    assert sum(math.exp(log_probability(grammar, text)) for text in every) == pytest.approx(1)


@given(grammars())
def test_every_next_character_has_its_probability(grammar: Grammar) -> None:
    every = texts(grammar)
    begins = prefixes(every)
    for prefix, mass in begins.items():
        expected = {c: begins[prefix + c] / mass for c in "abc" if prefix + c in begins}
        if prefix in every:
            expected[""] = every[prefix] / mass
        found = next_character(grammar, prefix)
        assert found == pytest.approx(expected)
        assert sum(found.values()) == pytest.approx(1)


@given(grammars())
def test_characters_of_a_text_have_their_conditional_probability(grammar: Grammar) -> None:
    every = texts(grammar)
    begins = prefixes(every)
    for text in every:
        expected = [math.log(begins[text[: i + 1]] / begins[text[:i]]) for i in range(len(text))]
        found = character_log_probabilities(grammar, text)
        assert found.shape == (len(text),)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert (found <= 0).all()


@given(grammars())
def test_what_no_derivation_writes_is_impossible_from_the_first_wrong_character_on(grammar: Grammar) -> None:
    every = texts(grammar)
    begins = prefixes(every)
    for text in [*begins, *(text + c for text in every for c in "abx"), *(text[:1] + "x" + text[1:] for text in every)]:
        if text not in every:
            assert log_probability(grammar, text) == -math.inf
        right = next((i for i in range(len(text)) if text[: i + 1] not in begins), len(text))
        found = character_log_probabilities(grammar, text)
        assert np.isfinite(found[:right]).all()
        assert (found[right:] == -math.inf).all()
        assert bool(next_character(grammar, text)) == (right == len(text))


def test_a_derivation_decided_late_counts_from_the_start() -> None:
    """Whether the first 'a' was a letter or a name shows at the fourth character."""
    grammar = Grammar(
        start="s",
        rules={"s": {"aab": 1, "{n.x}a{n.y}": 1}},
        slots={"n": [(1, {"x": "a", "y": "c"}), (2, {"x": "a", "y": "b"}), (3, {"x": "b", "y": "b"})]},
    )
    assert next_character(grammar, "") == pytest.approx({"a": 3 / 4, "b": 1 / 4})
    assert next_character(grammar, "aa") == pytest.approx({"b": (1 / 2 + 1 / 6) / (3 / 4), "c": (1 / 12) / (3 / 4)})
    np.testing.assert_allclose(np.exp(character_log_probabilities(grammar, "aac")), [3 / 4, 1, 1 / 9])


def test_long_texts_of_many_derivations_keep_their_probability() -> None:
    """2^200 derivations of one text: no underflow, and no exponential time."""
    letters = {f"r{i}": {f"a{{r{i - 1}}}": 1.0, f"{{a}}{{r{i - 1}}}": 1.0} for i in range(1, 201)}
    grammar = Grammar(start="r200", rules={"r0": {"": 1}, "a": {"a": 1, "b": 1}, **letters}, slots={})
    assert derivations(grammar) == 3**200
    assert log_probability(grammar, "a" * 200) == pytest.approx(200 * math.log(3 / 4))
    assert log_probability(grammar, "ab" * 100) == pytest.approx(100 * math.log(3 / 16))


def nested(seed: int, leaf: str) -> tuple[Grammar, float]:
    """Two levels of three alternatives with uneven weights, and what their products add up to in floating point."""
    rng = random.Random(seed)
    rules = {name: {key: rng.randint(1, 99) for key in keys} for name, keys in (("s", ("{a}", "{b}", "{c}")), *(
        (name, tuple(f"{{{name}{i}}}" for i in range(3))) for name in "abc"
    ))}  # fmt: skip
    leaves = {f"{name}{i}": {leaf: 1} for name in "abc" for i in range(3)}
    grammar = Grammar(start="s", rules={**rules, **leaves}, slots={})
    draws = grammar.alternatives
    products = (p * q for p, name in zip(draws["s"].probabilities, "abc", strict=True) for q in draws[name].probabilities)
    return grammar, math.fsum(products)


@pytest.mark.parametrize("leaf", ["", "x"])
def test_no_probability_is_above_one_where_weights_round_up(leaf: str) -> None:
    grammar = next(grammar for grammar, total in (nested(seed, leaf) for seed in range(2000)) if total > 1)
    assert log_probability(grammar, leaf) <= 0
    assert (character_log_probabilities(grammar, leaf) <= 0).all()
