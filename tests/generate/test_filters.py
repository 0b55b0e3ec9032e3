"""Filters: what stays, what it weighs, and that draws come as often as they should. Oracle: transformers, where both agree."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from erlangen.errors import ErlangenError
from erlangen.generate.filters import (
    Settings,
    choose,
    filtered,
    inverse_distribution,
    min_p,
    repetition_penalty,
    sample,
    temperature,
    top_k,
    top_p,
)

OUT = float("-inf")


def logits_of(*probabilities: float) -> Tensor:
    return torch.tensor([probabilities]).log()


def kept(logits: Tensor) -> list[int]:
    return (logits[0] > OUT).nonzero().flatten().tolist()


def random_logits(rows: int = 50, vocabulary: int = 30, seed: int = 0) -> Tensor:
    return 3 * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 10**6), st.floats(0.01, 0.99))
def test_the_nucleus_holds_p_and_without_the_token_that_crosses_less(seed: int, p: float) -> None:
    logits = random_logits(5, 20, seed).double()
    probabilities, keep = logits.softmax(-1), top_p(logits, p) > OUT
    mass = torch.where(keep, probabilities, 0.0)
    assert (mass.sum(-1) >= p - 2**-22).all()
    least = torch.where(keep, probabilities, 2.0).amin(-1)
    assert (mass.sum(-1) - least < p).all()
    assert (torch.where(keep, 0.0, probabilities).amax(-1) <= least).all()  # none outside is likelier than one inside


def test_at_the_boundary_the_set_that_reaches_p_exactly_is_enough() -> None:
    assert kept(top_p(logits_of(0.5, 0.25, 0.25), 0.75)) == [0, 1]  # the lower of equals
    assert kept(top_p(logits_of(0.6, 0.3, 0.1), 0.9)) == [0, 1]  # .9 to within rounding
    assert kept(top_p(logits_of(0.6, 0.3, 0.1), 0.6)) == [0]
    assert kept(top_p(logits_of(0.1, 0.3, 0.6), 0.61)) == [1, 2]  # the crossing token stays
    assert kept(top_p(torch.zeros(1, 4), 0.5)) == [0, 1]  # exact in binary
    for tenths in range(1, 10):  # of these, some sums round up and some down
        assert kept(top_p(torch.zeros(1, 10), tenths / 10)) == list(range(tenths))
        assert kept(top_p(logits_of(tenths / 10, 1 - tenths / 10), max(tenths, 10 - tenths) / 10)) == [0 if tenths >= 5 else 1]
    assert kept(top_p(logits_of(0.5, 0.5), 1e-9)) == [0]
    assert kept(top_p(logits_of(0.5, 0.3, 0.2), 1.0)) == [0, 1, 2]


def test_top_k_keeps_k_and_of_equals_the_lower() -> None:
    assert kept(top_k(torch.tensor([[1.0, 3.0, 2.0, 3.0, 3.0]]), 2)) == [1, 3]
    assert kept(top_k(torch.zeros(1, 9), 4)) == [0, 1, 2, 3]
    assert kept(top_k(torch.zeros(1, 3), 7)) == [0, 1, 2]
    assert ((top_k(random_logits(), 5) > OUT).sum(-1) == 5).all()


def test_top_p_weighs_what_top_k_left() -> None:
    """.4 .3 are .57 and .43 of the two left: .5 is reached by the first alone, though it has .4 of the whole."""
    scores = logits_of(0.4, 0.3, 0.2, 0.1)
    assert kept(filtered(scores, Settings(top_k=2, top_p=0.5))) == [0]
    assert kept(filtered(scores, Settings(top_p=0.5))) == [0, 1]
    assert kept(filtered(scores, Settings(top_k=3, top_p=0.95))) == [0, 1, 2]


def test_min_p_is_a_share_of_the_likeliest() -> None:
    assert kept(min_p(logits_of(0.1, 0.5, 0.2, 0.2), 0.3)) == [1, 2, 3]
    assert kept(min_p(logits_of(0.1, 0.5, 0.4), 1.0)) == [1]
    assert kept(min_p(logits_of(0.1, 0.5, 0.4), 0.0)) == [0, 1, 2]


def test_the_penalty_lowers_what_was_seen_once_whatever_its_sign() -> None:
    logits = torch.tensor([[2.0, -2.0, 3.0, 0.0]])
    found = repetition_penalty(logits, torch.tensor([[0, 1, 1, 0]]), 2.0)
    assert found.tolist() == [[1.0, -4.0, 3.0, 0.0]]
    assert logits.tolist() == [[2.0, -2.0, 3.0, 0.0]]
    greedy = Settings(temperature=0, repetition_penalty=2.0)
    assert sample(logits, greedy, previous=torch.tensor([[2]])).tolist() == [0]
    assert sample(logits, greedy).tolist() == [2]


@pytest.mark.parametrize("t", [0.0, 1e-3, 1e-30, 1e-300])
def test_temperature_zero_is_argmax_and_the_limit(t: float) -> None:
    logits = 1e4 * random_logits()
    for top in (None, 3):
        assert torch.equal(sample(logits, Settings(temperature=t, top_k=top)), logits.argmax(-1))
    assert sample(torch.zeros(1, 5), Settings(temperature=0)).tolist() == [0]


def test_temperature_divides_log_odds() -> None:
    odds = temperature(logits_of(0.6, 0.3, 0.1), 0.5).softmax(-1)
    expected = torch.tensor([[0.36, 0.09, 0.01]]) / 0.46
    torch.testing.assert_close(odds, expected)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(temperature=0.7),
        Settings(top_k=4),
        Settings(top_p=0.8),
        Settings(min_p=0.2),
        Settings(temperature=1.3, top_k=6, top_p=0.9, min_p=0.1, repetition_penalty=1.5),
    ],
)
def test_tokens_come_as_often_as_their_probabilities(settings: Settings) -> None:
    """Chi-square; 1 in 10⁵ by chance."""
    from scipy.stats import chi2

    logits, n = random_logits(1, 10, 3) / 3, 20_000
    previous = torch.tensor([[0, 3]])
    drawn = sample(logits.expand(n, -1), settings, torch.Generator().manual_seed(1), previous.expand(n, -1))
    penalized = repetition_penalty(logits.double(), previous, settings.repetition_penalty)
    probabilities = filtered(penalized, settings).softmax(-1)[0]
    counts = drawn.bincount(minlength=10).double()
    assert (counts[probabilities == 0] == 0).all()
    possible = probabilities > 0
    expected = n * probabilities[possible]
    statistic = float(((counts[possible] - expected) ** 2 / expected).sum())
    assert statistic < chi2.ppf(1 - 1e-5, int(possible.sum()) - 1)


def test_the_draw_is_the_inverse_of_the_distribution_function() -> None:
    probabilities = torch.tensor([[0.0, 0.25, 0.0, 0.5, 0.25, 0.0]], dtype=torch.float64)
    for u, token in [(0.0, 1), (0.25 - 1e-12, 1), (0.25 + 1e-12, 3), (0.75 - 1e-12, 3), (0.75 + 1e-12, 4), (1 - 2**-53, 4)]:
        assert inverse_distribution(probabilities, torch.tensor([u], dtype=torch.float64)).tolist() == [token]


def warped(name: str, *arguments: float) -> Callable[[Tensor], Tensor]:
    import transformers

    processor = getattr(transformers, name)(*arguments)
    return lambda logits: processor(torch.zeros(len(logits), 1, dtype=torch.int64), logits)


@pytest.mark.parametrize(
    ("ours", "name", "arguments"),
    [
        (lambda x: top_k(x, 7), "TopKLogitsWarper", (7,)),
        (lambda x: top_p(x, 0.7), "TopPLogitsWarper", (0.7,)),
        (lambda x: top_p(x, 0.99), "TopPLogitsWarper", (0.99,)),
        (lambda x: min_p(x, 0.05), "MinPLogitsWarper", (0.05,)),
        (lambda x: repetition_penalty(x, x.new_zeros(len(x), 1).long(), 1.7), "RepetitionPenaltyLogitsProcessor", (1.7,)),
    ],
)  # fmt: skip
def test_without_ties_transformers_keeps_the_same(
    ours: Callable[[Tensor], Tensor], name: str, arguments: tuple[float, ...]
) -> None:
    """With ties they differ: its top-k keeps all equals of the k-th, ours exactly k. Its temperature leaves the largest logit at
    max / T, ours at 0: the same distribution.
    """
    logits = random_logits()
    torch.testing.assert_close(ours(logits), warped(name, *arguments)(logits))


def test_temperature_is_transformers_up_to_a_constant() -> None:
    logits = random_logits()
    theirs = warped("TemperatureLogitsWarper", 0.7)(logits)
    torch.testing.assert_close(temperature(logits, 0.7).softmax(-1), theirs.softmax(-1))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", 0),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("min_p", -0.1),
        ("min_p", 2.0),
        ("repetition_penalty", 0.0),
        ("seed", -1),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_as_the_command_has_it(option: str, value: float) -> None:
    with pytest.raises(ErlangenError, match=f"^--{option.replace('_', '-')} {value}"):
        Settings(**{option: value})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), OUT])
def test_logits_that_are_no_numbers_are_a_clear_error(bad: float) -> None:
    with pytest.raises(ErlangenError, match="not finite"):
        choose(torch.full((2, 5), bad), Settings(), torch.zeros(2, dtype=torch.float64))
