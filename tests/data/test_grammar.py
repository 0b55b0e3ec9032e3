"""What a grammar says of its texts without drawing any, against all its derivations one by one; and what it draws."""

import math
import random
import re
from collections import Counter
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from support.small_grammars import derivations, entropy, grammars, texts

from erlangen.data import extent
from erlangen.data.extent import longest, shortest
from erlangen.data.grammar import Grammar

FOX = {"hero": [(1.0, {"name": "Hans", "he": "he"}), (3.0, {"name": "Rosa", "he": "she"})]}


@given(grammars())
def test_entropy_is_that_of_the_derivations(grammar: Grammar) -> None:
    assert grammar.entropy == pytest.approx(entropy([p for p, _ in derivations(grammar)]), abs=1e-9)


@given(grammars())
def test_texts_have_less_entropy_just_where_some_have_two_derivations(grammar: Grammar) -> None:
    of_texts = entropy(list(texts(grammar).values()))
    if extent.derivations(grammar) == len(texts(grammar)):
        assert of_texts == pytest.approx(grammar.entropy, abs=1e-9)
    else:
        assert of_texts < grammar.entropy - 1e-6


@given(grammars())
def test_lengths_and_number_are_exact(grammar: Grammar) -> None:
    every = derivations(grammar)
    assert extent.derivations(grammar) == len(every)
    assert grammar.expected_length == pytest.approx(sum(p * len(text) for p, text in every), abs=1e-9)
    assert longest(grammar) == max(len(text) for _, text in every)
    assert shortest(grammar) == min(len(text) for _, text in every)


@given(grammars())
def test_what_is_drawn_is_a_derivation_with_its_probability(grammar: Grammar) -> None:
    every, rng = derivations(grammar), random.Random(0)
    for _ in range(20):
        text, log_probability = grammar.derive(rng)
        assert any(text == other and log_probability == pytest.approx(math.log(p), abs=1e-9) for p, other in every)


def test_texts_come_as_often_as_their_probability_has_it() -> None:
    grammar = Grammar(
        start="s", rules={"s": {"{hero.he} {a}": 2, "{a}": 1}, "a": {"x": 1, "y": 3, "{hero.he} {hero.name}": 0.5}}, slots=FOX
    )
    n, rng = 20_000, random.Random(1)
    counts = Counter(grammar.sample(rng) for _ in range(n))
    expected = texts(grammar)
    assert counts.keys() == expected.keys()
    for text, p in expected.items():
        assert abs(counts[text] / n - p) < 4.5 * (p * (1 - p) / n) ** 0.5, text


def test_a_slot_is_drawn_once_and_agrees_with_itself() -> None:
    grammar = Grammar(
        start="s", rules={"s": {"{hero.name} ran. {more}": 1}, "more": {"So {hero.he} did, {hero.name}.": 1}}, slots=FOX
    )
    rng = random.Random(2)
    assert {grammar.sample(rng) for _ in range(40)} == {"Hans ran. So he did, Hans.", "Rosa ran. So she did, Rosa."}
    assert grammar.entropy == pytest.approx(entropy([0.25, 0.75]))


def test_slots_that_a_text_leaves_out_add_no_entropy() -> None:
    grammar = Grammar(start="s", rules={"s": {"a": 1, "{hero.name}{hero.name}": 1}, "unused": {"x": 1, "y": 1}}, slots=FOX)
    assert grammar.mentioned("hero") == 0.5
    assert grammar.entropy == pytest.approx(entropy([0.5, 0.125, 0.375]))


def test_the_rules_stay_what_they_were() -> None:
    rules = {"s": {"a": 1.0}}
    grammar = Grammar(start="s", rules=rules, slots={})
    rules["s"]["b"] = 1e9
    assert {grammar.sample(random.Random(seed)) for seed in range(9)} == {"a"}
    with pytest.raises(FrozenInstanceError):
        grammar.start = "t"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"s": {"{a}": 1}, "a": {"x{b}": 1, "y": 1}, "b": {"{a}": 1}}, "cycle: (a <- b <- a|b <- a <- b)"),
        ({"s": {"x{s}": 1, "": 1}}, "cycle: s <- s"),
        ({"s": {"{b}": 1}}, r"rule 's' mentions \{b\}, for which there is no rule"),
        ({"s": {"{fox.name}": 1}}, "there is no slot 'fox'"),
        ({"s": {"{hero.color}": 1}}, "an entry of slot 'hero' lacks the form 'color'"),
        ({"t": {"a": 1}}, "no rule for the start symbol 's'"),
        ({"s": {"a": 1, "b": 0}}, r"rule 's': there must be at least one weight, .* be positive and finite: got \[1, 0\]"),
        ({"s": {"a": -1}}, "all must be positive"),
        ({"s": {"a": math.nan}}, "all must be positive"),
        ({"s": {"a": math.inf}}, "all must be positive"),
        ({"s": {}}, "at least one"),
        ({"s": {"{a": 1}}, re.escape("unmatched brace in the template '{a'")),
        ({"s": {"a}": 1}}, re.escape("unmatched brace in the template 'a}'")),
        ({"s": {"{}": 1}}, "unmatched brace"),
    ],
)
def test_a_grammar_that_cannot_be_is_refused(rules: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grammar(start="s", rules=rules, slots=FOX)


def test_an_empty_slot_is_refused() -> None:
    with pytest.raises(ValueError, match="slot 'hero': there must be at least one weight, and all must be positive and finite"):
        Grammar(start="s", rules={"s": {"a": 1}}, slots={"hero": []})
