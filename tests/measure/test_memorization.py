"""Verbatim shares against a search through every substring."""

import math
import time

import pytest
from hypothesis import given, strategies as st

from erlangen.measure.memorization import longest_matches, verbatim_share
from erlangen.measure.text_statistics import words

TEXT = st.text(alphabet="abX ", max_size=30)


def searched(symbols, training, i: int, most: int) -> int:
    """The longest match at i, by trying all lengths at all places."""

    def found(n: int) -> bool:
        return any(symbols[i : i + n] == training[j : j + n] for j in range(len(training)))

    return max((n for n in range(1, min(most, len(symbols) - i) + 1) if found(n)), default=0)


@given(texts=st.lists(TEXT, min_size=1, max_size=3), training=TEXT, most=st.integers(1, 9))
def test_the_longest_match_is_the_one_that_a_search_finds(texts: list[str], training: str, most: int) -> None:
    found = longest_matches(texts, training, most).lengths
    assert [lengths.tolist() for lengths in found] == [[searched(t, training, i, most) for i in range(len(t))] for t in texts]


@given(text=TEXT, training=TEXT, n=st.integers(1, 4))
def test_a_share_counts_the_n_grams_that_the_training_text_has(text: str, training: str, n: int) -> None:
    grams = [text[i : i + n] for i in range(len(text) - n + 1)]
    share = verbatim_share(text, training, n)
    assert math.isnan(share) if not grams else share == pytest.approx(sum(gram in training for gram in grams) / len(grams))


@given(text=st.text("ab ,B", max_size=40), training=st.text("ab ,B", max_size=40), n=st.integers(1, 3))
def test_words_are_compared_without_case_and_punctuation(text: str, training: str, n: int) -> None:
    mine, theirs = words(text), words(training)
    known = {tuple(theirs[i : i + n]) for i in range(len(theirs) - n + 1)}
    grams = [tuple(mine[i : i + n]) for i in range(len(mine) - n + 1)]
    share = verbatim_share(text, training, n, "words")
    assert math.isnan(share) if not grams else share == pytest.approx(sum(gram in known for gram in grams) / len(grams))


def test_no_match_runs_from_one_text_into_the_next() -> None:
    assert [lengths.tolist() for lengths in longest_matches(["ab", "cd"], "abcd", 4).lengths] == [[2, 1], [2, 1]]


def test_all_of_a_copy_is_verbatim_and_nothing_of_another_alphabet() -> None:
    training = "the fox and the golden bird " * 3
    assert verbatim_share(training[5:50], training, 45) == 1
    assert verbatim_share("XYZ", training, 1) == 0


def test_several_texts_weigh_as_their_n_grams() -> None:
    matches = longest_matches(["abcd", "xxxxxxxx", "a"], "abcd", 3)
    assert matches.shares(2)[:2] == [1, 0]
    assert math.isnan(matches.shares(2)[2])
    assert matches.share(2) == pytest.approx(3 / 10)


@pytest.mark.parametrize("n", [0, 4])
def test_lengths_that_were_not_looked_for_are_refused(n: int) -> None:
    matches = longest_matches(["ab"], "ab", 3)
    with pytest.raises(ValueError, match=f"n = {n}"):
        matches.share(n)
    with pytest.raises(ValueError, match=f"n = {n}"):
        matches.shares(n)


def test_nothing_is_found_in_nothing() -> None:
    assert longest_matches(["ab"], "", 3).lengths[0].tolist() == [0, 0]
    assert longest_matches([], "abc", 3).lengths == ()
    with pytest.raises(ValueError, match="most = 0"):
        longest_matches(["a"], "a", 0)


def test_a_book_takes_seconds() -> None:
    book = "".join(chr(97 + (i * i * 2654435761 >> 7) % 26) for i in range(200_000))
    start = time.perf_counter()
    assert longest_matches([book[1000:30_000]], book, 64).share(64) == 1
    assert time.perf_counter() - start < 5
