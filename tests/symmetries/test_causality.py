import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from support.images import error
from support.records import BROKEN, EXACT, attention, noise, padded, pooled, text, used
from torch import Tensor

from erlangen.symmetries.causality import CUTS, Causality
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
def test_as_many_elements_as_cuts_find_it_in_a_long_text(t: int) -> None:
    x = text(40)
    elements = SYMMETRY.elements(x, 39, np.random.default_rng(0))
    assert {g.t for g in elements} == set(range(39))
    assert worst(lambda x: attention(x, causal=True, leaks=((t, t + 1),)), x, elements) > EXACT


def test_the_last_token_leaks_to_the_first_position_only() -> None:
    x = text(40)
    assert worst(lambda x: attention(x, causal=True, leaks=((0, 39),)), x, SYMMETRY.generators(x)) > EXACT


@given(length=st.integers(0, 45), vocabulary=st.integers(1, 4), seed=st.integers(0, 99))
def test_all_that_comes_later_is_replaced_and_nothing_else(length: int, vocabulary: int, seed: int) -> None:
    ids = torch.from_numpy(np.random.default_rng(seed).integers(0, vocabulary, length))
    x = Text(ids, vocabulary)
    for g in used(SYMMETRY, x, 60, seed):
        moved = SYMMETRY.act(x, g).ids
        changed = torch.arange(length) > g.t
        if g.only_next:
            changed &= torch.arange(length) <= g.t + 1
        assert torch.equal(moved != ids, changed)
        assert bool(((moved >= 0) & (moved < vocabulary)).all())
        assert vocabulary < 3 or bool((moved[changed] != x.padding).all())


def test_replacements_are_uniform() -> None:
    x = Text(torch.full((5000,), 3), 6)
    counts = torch.bincount(SYMMETRY.act(x, SYMMETRY.generators(x)[0]).ids[1:], minlength=6).tolist()
    assert counts[0] == counts[3] == 0
    assert all(abs(count - 4999 / 4) < 5 * (4999 * 3 / 16) ** 0.5 for count in (counts[1], counts[2], counts[4], counts[5]))


def test_generators_cover_first_middle_and_last_and_stay_few() -> None:
    for length in (3, 12, 17, 18, 300):
        x = text(length)
        whole = [g.t for g in SYMMETRY.generators(x) if not g.only_next]
        single = [g.t for g in SYMMETRY.generators(x) if g.only_next]
        assert whole[0] == single[0] == 0
        assert whole[-1] == length - 2
        assert len(whole) == min(length - 1, CUTS)
        assert any(abs(t - length // 2) <= length / CUTS + 1 for t in whole)


def test_only_real_tokens_are_replaced_and_compared() -> None:
    x = padded(9, 3, 2)
    for g in used(SYMMETRY, x, 30):
        moved = SYMMETRY.act(x, g)
        assert torch.equal(moved.ids[x.mask == 0], x.ids[x.mask == 0])
        expected, actual = SYMMETRY.align(noise(14, 2), noise(14, 2), g, x)
        assert 1 <= len(expected) == len(actual) == g.t - 2
    restless = worst(lambda x: causal(x).masked_fill((x.mask == 0)[:, None], torch.nan), x, used(SYMMETRY, x))
    assert restless < EXACT


def test_a_vector_has_seen_everything() -> None:
    x = text()
    assert all(error(SYMMETRY, lambda x: pooled(causal(x)), x, g) is None for g in used(SYMMETRY, x))


def test_labels() -> None:
    labels = [SYMMETRY.label(g) for g in SYMMETRY.generators(text(3))]
    assert labels[:2] == ["tokens after position 0 replaced", "tokens after position 1 replaced"]
    assert labels[2] == "only the token after position 0 replaced"
