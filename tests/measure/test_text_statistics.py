"""Statistics of texts whose answer is known by hand, and their laws."""

import math
import random
import sys

import pytest
from hypothesis import given, strategies as st

from erlangen.errors import ErlangenError
from erlangen.measure.text_statistics import compression_ratio, dictionary_share, distinct_n, english_words, repetition, words


def test_words_are_runs_of_letters_in_lower_case() -> None:
    assert words("‘Don’t!’ said the KING's 2 sons, half-asleep") == ["don't", "said", "the", "king's", "sons", "half", "asleep"]


def test_distinct_is_the_share_of_different_n_grams() -> None:
    assert distinct_n("a b a b a", 1) == 2 / 5
    assert distinct_n("a b a b a", 2) == 2 / 4
    assert distinct_n("abab", 2, "characters") == 2 / 3
    assert math.isnan(distinct_n("a b", 3))


def test_repetition_counts_the_words_of_phrases_said_twice() -> None:
    assert repetition("one two three four five one two three four", 4) == 8 / 9
    assert repetition("one two three four five six seven", 4) == 0
    assert repetition("so so so so so so", 4) == 1
    assert math.isnan(repetition("one two three", 4))


@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=30))
def test_nothing_repeats_just_where_all_is_distinct(symbols: list[str]) -> None:
    text = " ".join(symbols)
    assert (repetition(text, 2) == 0) == (distinct_n(text, 2) == 1)
    assert 0 <= repetition(text, 2) <= 1


def test_saying_it_again_compresses_further() -> None:
    letters = random.Random(0).choices("abcdefghij ", k=300)
    text = "".join(letters)
    assert compression_ratio(4 * text) > 2 * compression_ratio(text) > 2
    assert math.isnan(compression_ratio(""))


def test_words_count_as_often_as_they_come() -> None:
    assert dictionary_share("The king's horse, the hrose; the KING", {"the", "king", "horse"}) == 6 / 7
    assert math.isnan(dictionary_share("...", {"the"}))


@pytest.mark.parametrize("n", [0, -1])
def test_n_grams_of_nothing_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"n-grams of {n}"):
        distinct_n("a b", n)


def test_a_missing_list_of_words_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spellchecker", None)
    english_words.cache_clear()
    with pytest.raises(ErlangenError, match=r"pip install pyspellchecker"):
        english_words()


def test_english_words_are_english() -> None:
    pytest.importorskip("spellchecker")
    english_words.cache_clear()
    assert dictionary_share("Once upon a time there was an old woman who lived in the king's forest", english_words()) == 1
    assert dictionary_share("onge opun tiem wxs", english_words()) < 0.5
