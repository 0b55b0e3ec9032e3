from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from support.images import error
from support.records import BROKEN, EXACT, attention, noise, padded, pooled, text, used
from torch import Tensor

from erlangen.auditing.domain import load_domain
from erlangen.auditing.model import Model
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.symmetries.causality import Causality
from erlangen.symmetries.future import CUTS, SWEEP, Future
from erlangen.symmetries.text import Text

SYMMETRY = Causality()


def causal(x: Text) -> Tensor:
    return attention(x, causal=True, places="learned")


def worst(f: object, x: Text, elements: list) -> float:
    return max(error(SYMMETRY, f, x, g) for g in elements)


@pytest.mark.parametrize("x", [text(), text(2), text(40), padded()], ids=["12", "2", "40", "padded"])
def test_a_causal_model_is_exact(x: Text) -> None:
    assert worst(causal, x, used(SYMMETRY, x, 50)) < EXACT


@pytest.mark.parametrize("length", [2, 12, 40])
def test_generators_find_what_sees_everything_and_what_is_off_by_one(length: int) -> None:
    x = text(length)
    assert worst(attention, x, SYMMETRY.generators(x)) > BROKEN
    assert worst(lambda x: attention(x, causal=True, ahead=1), x, SYMMETRY.generators(x)) > BROKEN


@pytest.mark.parametrize("t", range(11))
def test_generators_find_a_leak_of_one_position_alone(t: int) -> None:
    x = text(12)
    found = [
        g
        for g in SYMMETRY.generators(x)
        if error(SYMMETRY, lambda x: attention(x, causal=True, leaks=((t, t + 1),)), x, g) > EXACT
    ]
    assert found
    assert {g.t for g in found} == {t}


@pytest.mark.parametrize("t", [0, 3, 20, 37, 38])
def test_a_sweep_finds_it_in_a_long_text(t: int) -> None:
    x = text(40)
    elements = SYMMETRY.sweep(x)
    assert [g.t for g in elements] == list(range(39))
    assert worst(lambda x: attention(x, causal=True, leaks=((t, t + 1),)), x, elements) > EXACT


def test_the_last_token_leaks_to_the_first_position_only() -> None:
    x = text(40)
    assert worst(lambda x: attention(x, causal=True, leaks=((0, 39),)), x, SYMMETRY.generators(x)) > EXACT


@given(length=st.integers(0, 45), vocabulary=st.integers(1, 4), seed=st.integers(0, 99))
def test_all_that_comes_later_is_replaced_and_nothing_else(length: int, vocabulary: int, seed: int) -> None:
    ids = torch.from_numpy(np.random.default_rng(seed).integers(0, vocabulary, length))
    x = Text(ids, vocabulary, end=2)
    for g in used(SYMMETRY, x, 60, seed):
        moved = SYMMETRY.act(x, g).ids
        changed = torch.arange(length) > g.t
        if g.change == "next":
            changed &= torch.arange(length) <= g.t + 1
        if g.change == "cut":
            assert torch.equal(moved, ids[: g.t + 1])
        elif g.change in ("padding", "end"):
            assert torch.equal(moved, torch.where(changed, x.padding if g.change == "padding" else 2, ids))
        else:
            assert torch.equal(moved != ids, changed)
            assert vocabulary < 3 or bool((moved[changed] != x.padding).all())
        assert bool(((moved >= 0) & (moved < max(vocabulary, 3))).all())


def test_replacements_are_uniform() -> None:
    x = Text(torch.full((5000,), 3), 6)
    counts = torch.bincount(SYMMETRY.act(x, SYMMETRY.generators(x)[0]).ids[1:], minlength=6).tolist()
    assert counts[0] == counts[3] == 0
    assert all(abs(count - 4999 / 4) < 5 * (4999 * 3 / 16) ** 0.5 for count in (counts[1], counts[2], counts[4], counts[5]))


def test_no_token_comes_again_before_all_have_come() -> None:
    x, other = Text(torch.arange(40) % 9, 20), Text((torch.arange(40) + 1) % 9, 20)
    first = [int(SYMMETRY.act(x, g).ids[g.t + 1]) for g in SYMMETRY.sweep(x)]
    assert set(first) == set(range(1, 20))
    moved = SYMMETRY.act(x, Future(0, 1)).ids[1:20].tolist()
    assert len(set(moved)) >= 17, "all but where the text has that token itself"
    assert moved != SYMMETRY.act(other, Future(0, 1)).ids[1:20].tolist()
    assert moved != SYMMETRY.act(x, Future(0, 2)).ids[1:20].tolist()


@pytest.mark.parametrize("padding", [-1, 6, 99])
def test_without_a_padding_token_among_them_all_tokens_come(padding: int) -> None:
    x = Text(torch.full((40,), 3), 6, padding=padding)
    assert set(SYMMETRY.act(x, Future(0, 1)).ids[1:].tolist()) == {0, 1, 2, 4, 5}


@pytest.mark.parametrize("x", [text(9), Text(torch.zeros(9, dtype=torch.long), 5)], ids=["tokens", "one token"])
def test_no_cut_comes_again_before_all_have_come(x: Text) -> None:
    drawn = SYMMETRY.elements(x, 64, np.random.default_rng(0))
    for change in ("others", "cut"):
        cuts = [g.t for g in drawn if g.change == change]
        assert sorted(cuts[:8]) == list(range(8))


@pytest.mark.parametrize("seed", range(5))
def test_texts_are_cut_behind_every_token_and_the_rarest_first(seed: int) -> None:
    """Ten texts of ten tokens, each with one of its own: three cuts a text are enough for all nineteen tokens."""
    texts = [Text(torch.tensor([*np.random.default_rng(seed).permutation(9).tolist(), 0]), 30) for _ in range(10)]
    for number, x in enumerate(texts):
        x.ids[(number + seed) % 9] = 10 + number
    outputs = {number: torch.zeros(10, 5) for number in range(10)}
    model = Model(function=len, adapter=load_domain("texts").adapter(len))
    drawn = SymmetryCheck(SYMMETRY).draw(model, texts, outputs, range(10), 3, np.random.default_rng(seed))
    cut_behind = [[int(texts[i].ids[g.t]) for g in elements[:3]] for i, elements in drawn.items()]
    assert all(10 + number in tokens for number, tokens in enumerate(cut_behind))
    assert len(set().union(*cut_behind)) == 19


def test_generators_cover_first_middle_and_last_and_stay_few() -> None:
    for length in (3, 12, 17, 18, 300):
        x = text(length)
        whole = [g.t for g in SYMMETRY.generators(x) if g.change == "others"]
        single = [g.t for g in SYMMETRY.generators(x) if g.change == "next"]
        assert whole[0] == single[0] == 0
        assert whole[-1] == length - 2
        assert len(whole) == min(length - 1, CUTS)
        assert any(abs(t - length // 2) <= length / CUTS + 1 for t in whole)


def test_only_real_tokens_are_replaced_and_compared() -> None:
    x = padded(9, 3, 2)
    for g in used(SYMMETRY, x, 30):
        moved = SYMMETRY.act(x, g)
        assert torch.equal(moved.ids[moved.mask == 0], x.ids[: len(moved)][x.mask[: len(moved)] == 0])
        expected, actual = SYMMETRY.align(noise(14, 2), noise(len(moved), 2), g, x)
        assert 1 <= len(expected) == len(actual) == g.t - 2
    restless = worst(lambda x: causal(x).masked_fill((x.mask == 0)[:, None], torch.nan), x, used(SYMMETRY, x))
    assert restless < EXACT


def test_a_vector_has_seen_everything() -> None:
    x = text()
    assert all(error(SYMMETRY, lambda x: pooled(causal(x)), x, g) is None for g in used(SYMMETRY, x))


def test_labels() -> None:
    labels = [SYMMETRY.label(g) for g in SYMMETRY.generators(replace(text(3), end=2))]
    assert labels == [
        "tokens after position 0 replaced",
        "tokens after position 1 replaced",
        "only the token after position 0 replaced",
        "tokens after position 0 replaced by padding",
        "tokens after position 0 replaced by the end token",
        "tokens after position 1 replaced by padding",
        "tokens after position 1 replaced by the end token",
        "tokens after position 0 cut off",
        "tokens after position 1 cut off",
    ]


def test_prefixes_have_short_odd_and_long_lengths() -> None:
    lengths = [g.t + 1 for g in SYMMETRY.generators(text(64)) if g.change == "cut"]
    assert lengths == [1, 2, 3, 15, 31, 47, 63]


@pytest.mark.parametrize(
    "scaled",
    [
        lambda x, y: y / len(x),  # by the length of the whole text
        lambda x, y: y * (x.ids != x.padding).sum(),  # by its tokens that are no padding
        lambda x, y: y + (x.ids == 3).sum(),  # by its end tokens
    ],
    ids=["length", "padding", "end"],
)
def test_generators_and_elements_find_what_is_counted_over_the_whole_text(scaled: Callable[[Text, Tensor], Tensor]) -> None:
    x = replace(text(30), end=3)
    for elements in (SYMMETRY.generators(x), SYMMETRY.elements(x, 8, np.random.default_rng(0))):
        assert worst(lambda x: scaled(x, causal(x)), x, elements) > EXACT
    assert worst(causal, x, used(SYMMETRY, x, 50)) < EXACT


def test_only_texts_cut_off_may_be_refused() -> None:
    assert {g.change for g in used(SYMMETRY, text(), 30) if SYMMETRY.optional(g)} == {"cut"}


def test_a_long_sweep_is_thinned_out_and_says_so() -> None:
    swept = [g.t for g in SYMMETRY.sweep(text(2000))]
    assert len(swept) == SWEEP
    assert swept[0] == 0
    assert swept[-1] == 1998
    assert max(b - a for a, b in pairwise(swept)) <= 4
    assert SYMMETRY.scope(text(2000)).startswith(
        "512 of 1999 cuts of a text of 2000 tokens, prefixes of 1, 2, 3, 499, 999, 1499 and"
    )


def test_the_scope_names_lengths_and_special_tokens() -> None:
    said = "every cut of a text of 5 tokens, prefixes of 1, 2, 3 and 4 tokens, later tokens replaced by others and by padding (0)"
    assert SYMMETRY.scope(text(5)) == said
    assert SYMMETRY.scope(replace(text(5), padding=1, end=2)).endswith("by padding (1) and the end token (2)")
    assert SYMMETRY.scope(text(1)) == ""


def test_nothing_is_replaced_by_what_is_there() -> None:
    x = Text(torch.tensor([4, 5, 7, 7]), 9, padding=7, end=7)
    assert {g.t for g in SYMMETRY.elements(x, 40, np.random.default_rng(1)) if g.change in ("padding", "end")} == {0}
    assert not SYMMETRY.changes(x, 1, "padding")


def test_masks_and_positions_are_cut_with_their_tokens() -> None:
    x = replace(padded(), positions=torch.arange(14))
    short = SYMMETRY.act(x, Future(6, change="cut"))
    assert len(short) == len(short.mask) == len(short.positions) == 7
