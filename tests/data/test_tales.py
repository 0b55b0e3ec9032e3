"""The tales: good English by the rules of agreement, within the limits that a window and a learner set, and with a true floor."""

import random
import re
from collections import Counter

import numpy as np
import pytest

from erlangen.data.extent import derivations, longest, shortest
from erlangen.data.prefix_filter import log_probability
from erlangen.data.tales import END, GRAMMAR, RULES, SLOTS, floor, is_grammatical, tales

MANY = tales(1000, seed=0)
EACH = MANY.split(END)[:-1]
HE = {forms["name"]: forms["he"] for _, forms in SLOTS["hero"]}


def within(values: np.ndarray, expected: float) -> bool:
    """The mean of independent values is within 4 standard errors."""
    return abs(values.mean() - expected) < 4 * values.std(ddof=1) / len(values) ** 0.5


def test_a_tale_fits_a_window_and_is_neither_dull_nor_noise() -> None:
    assert longest(GRAMMAR) <= 256
    assert shortest(GRAMMAR) >= 150
    assert GRAMMAR.entropy >= 50
    assert 0.3 <= GRAMMAR.entropy / GRAMMAR.expected_length <= 0.6
    assert derivations(GRAMMAR) > 1e24


def test_lengths_are_those_that_the_grammar_foresees() -> None:
    lengths = np.array([len(tale) + 1 for tale in EACH])
    assert within(lengths, GRAMMAR.expected_length)
    assert shortest(GRAMMAR) <= lengths.min() < lengths.max() <= longest(GRAMMAR)


def test_the_end_closes_every_tale_and_is_nowhere_else() -> None:
    assert len(END) == 1
    assert MANY.count(END) == len(EACH) == 1000
    assert MANY.endswith(END)
    assert all(template.endswith(END) and template.count(END) == 1 for template in RULES["tale"])
    texts = [t for name, rule in RULES.items() if name != "tale" for t in rule] + [
        t for slot in SLOTS.values() for _, forms in slot for t in forms.values()
    ]
    assert not any(END in text for text in texts)


def test_the_alphabet_is_small() -> None:
    assert len(set(MANY)) <= 60
    assert set(MANY).issubset(set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ,.!"' + END))


def test_no_rule_and_no_slot_is_idle() -> None:
    assert {symbol.name for symbol in GRAMMAR.expected if hasattr(symbol, "name")} == set(RULES)
    assert {symbol.slot for symbol in GRAMMAR.expected if hasattr(symbol, "slot")} == set(SLOTS)


def test_a_seed_repeats_them_and_fewer_are_the_first_of_more() -> None:
    assert tales(9, seed=3).startswith(tales(5, seed=3))
    assert tales(5, seed=3) != tales(5, seed=4)
    assert MANY.startswith(tales(20, seed=0))
    assert tales(0, seed=3) == ""


def test_no_tale_is_told_twice() -> None:
    assert len(set(EACH)) == len(EACH)


def test_no_text_has_two_derivations() -> None:
    """Were there another derivation of a text, its probability would be above that of the one that was drawn."""
    rng = random.Random(5)
    for _ in range(400):
        tale, log_p = GRAMMAR.derive(rng)
        assert log_probability(GRAMMAR, tale) == pytest.approx(log_p, abs=1e-9)


def test_the_floor_is_the_entropy_in_the_mean() -> None:
    nats = np.array([floor(tale + END).sum() for tale in EACH])
    assert within(nats, GRAMMAR.entropy)
    lengths = np.array([len(tale) + 1 for tale in EACH])
    rate = GRAMMAR.entropy / GRAMMAR.expected_length
    assert within(nats - rate * lengths, 0.0)  # so nats / lengths is near H / E[length]: the ratio of the means
    assert abs(nats.sum() / lengths.sum() - rate) < 0.002


def test_the_floor_of_a_text_is_that_of_its_tales() -> None:
    some = EACH[:20]
    whole = floor("".join(tale + END for tale in some))
    np.testing.assert_array_equal(whole, np.concatenate([floor(tale + END) for tale in some]))
    assert whole.shape == (sum(map(len, some)) + 20,)
    assert (whole >= 0).all()
    for tale in some:
        assert floor(tale + END).sum() == pytest.approx(-log_probability(GRAMMAR, tale + END))
    assert floor("").shape == (0,)


def test_the_floor_wants_whole_tales() -> None:
    with pytest.raises(ValueError, match=r"whole tales, each ending in '\\n', but it ends in 'Once'"):
        floor(EACH[0] + END + "Once")


def test_grammatical_is_what_can_be_told() -> None:
    for tale in EACH[:50]:
        assert is_grammatical(tale)
        assert is_grammatical(tale + END)
        assert not is_grammatical(tale[:-1])
        assert not is_grammatical(tale + END + END)
        assert not is_grammatical(tale.replace(" a ", " an ", 1))
        assert np.isinf(floor(tale[:-1] + END)).any()
    assert not is_grammatical("")


def test_the_hero_keeps_name_and_pronoun() -> None:
    seen: Counter[str] = Counter()
    for tale in EACH:
        names = {word for word in re.findall(r"\w+", tale) if word in HE}
        assert len(names) == 1, tale
        words = set(re.findall(r"\w+", tale.lower()))
        hers, his = words & {"she", "her", "hers", "girl"}, words & {"he", "his", "boy"}
        assert not (hers if HE[names.pop()] == "he" else his), tale
        seen.update(hers | his)
    assert min(seen[word] for word in ("she", "her", "hers", "girl", "he", "his", "boy")) > 20


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (r"^A \w+ (\w+) named|^\w+ was a \w+ (\w+) |^In .*?, a \w+ (\w+)\.", r"\. The (?!girl|boy)(\w+) [^.]*\.$"),
        (r"^In a \w+ (\w+) |^\w+ was a \w+ \w+ in a \w+ (\w+)\.", r" in the (\w+)\.$"),
        (r" for a \w+ (\w+)!", r", and the (\w+) was h"),
        (r" turned \w+ \w+ (\w+) into", r" saved the (\w+)\."),
        (r" turned \w+ \w+ (\w+) into", r" with h\w+ \w+ (\w+)\.$"),
        (r" met a \w+ (\w+),", r'!" \w+ the (\w+)\.'),
        (r" for a \w+ \w+ (\w+), the", r", the (\w+) for"),
        (r", the \w+ for \w+ \w+ (\w+),", r", and the (\w+) for"),
    ],
)
def test_what_was_named_comes_back(first: str, again: str) -> None:
    """Trade, home, treasure, kin, beast, garb: the same at both places, and swapped for another one it is no tale."""
    both = [(one, two, tale) for tale in EACH if (one := re.search(first, tale)) and (two := re.search(again, tale))]
    assert len(both) > 20
    for one, two, tale in both:
        assert two[1] in one.groups(), tale
    one, two, tale = both[0]
    other = next(pair[1][1] for pair in both if pair[1][1] != two[1])
    assert not is_grammatical(tale[: two.start(1)] + other + tale[two.end(1) :])


def test_names_come_back_after_a_hundred_characters() -> None:
    far = sum(tale.rfind(name) - tale.find(name) > 100 for tale in EACH for name in HE if re.search(rf"\b{name}\b", tale))
    assert far > len(EACH) / 4


def test_a_stands_before_consonants_only() -> None:
    assert not re.search(r"\b[Aa] [aeiou]", MANY)
