"""Filters: what stays, what it weighs, and that draws come as often as they should. Oracle: transformers, where both agree."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from erlangen.errors import ErlangenError
from erlangen.generate.filters import (
    choose,
    filtered,
    inverse_distribution,
    min_p,
    repetition_penalty,
    sample,
    temperature,
    top_k,
    top_p,
    typical_p,
)
from erlangen.generate.selection import weigh
from erlangen.generate.settings import Settings

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
    assert kept(top_p(logits_of(0.5, 0.25, 0.25), 0.75)) == [0, 1, 2]  # both of equals
    assert kept(top_p(logits_of(0.5, 0.25, 0.25), 0.5)) == [0]
    assert kept(top_p(logits_of(0.6, 0.3, 0.1), 0.9)) == [0, 1]  # .9 to within rounding
    assert kept(top_p(logits_of(0.6, 0.3, 0.1), 0.6)) == [0]
    assert kept(top_p(logits_of(0.1, 0.3, 0.6), 0.61)) == [1, 2]  # the crossing token stays
    assert kept(top_p(torch.zeros(1, 4), 0.5)) == [0, 1, 2, 3]
    steps = 1e-12 * torch.arange(10, 0, -1)[None].double()  # equally likely to within rounding, but not equal
    for tenths in range(1, 10):  # of these, some sums round up and some down
        assert kept(top_p(steps, tenths / 10)) == list(range(tenths))
        larger = [0] if tenths > 5 else [1] if tenths < 5 else [0, 1]
        assert kept(top_p(logits_of(tenths / 10, 1 - tenths / 10), max(tenths, 10 - tenths) / 10)) == larger
    assert kept(top_p(logits_of(0.5, 0.3, 0.2), 1e-9)) == [0]
    assert kept(top_p(logits_of(0.5, 0.3, 0.2), 1.0)) == [0, 1, 2]


def test_top_k_keeps_k_and_all_that_equal_the_last() -> None:
    assert kept(top_k(torch.tensor([[1.0, 3.0, 2.0, 3.0, 3.0]]), 2)) == [1, 3, 4]
    assert kept(top_k(torch.tensor([[1.0, 3.0, 2.0, 3.0, 3.0]]), 4)) == [1, 2, 3, 4]
    assert kept(top_k(torch.zeros(1, 4), 2)) == [0, 1, 2, 3]
    assert kept(top_k(torch.zeros(1, 3), 7)) == [0, 1, 2]
    assert ((top_k(random_logits(), 5) > OUT).sum(-1) == 5).all()


@pytest.mark.parametrize(
    "limits",
    [{"top_k": 5}, {"top_p": 0.6}, {"min_p": 0.3}, {"typical_p": 0.5}, {"min_p": 0.9, "min_tokens_to_keep": 7},
     {"top_k": 12, "top_p": 0.8, "min_p": 0.05, "typical_p": 0.9, "min_tokens_to_keep": 2}],
    ids=str,
)  # fmt: skip
def test_a_renumbered_vocabulary_gives_the_same_distribution(limits: dict[str, Any]) -> None:
    """Though many tokens are equally likely; in the captured decoder too."""
    logits, settings = random_logits().round().double(), Settings(**limits)
    turned = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    assert torch.equal(filtered(logits[:, turned], settings) > OUT, (filtered(logits, settings) > OUT)[:, turned])
    odds = logits - logits.amax(-1, keepdim=True)
    weights, expected = (weigh(o, x, settings) for o, x in ((odds[:, turned], logits[:, turned]), (odds, logits)))
    assert torch.equal(weights > 0, (expected > 0)[:, turned])
    assert torch.equal(expected > 0, filtered(logits, settings) > OUT)


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


def typical_tokens(probabilities: list[float], mass: float, least: int) -> list[int]:
    """The rule in plain Python: by distance from the entropy, until the mass is reached; then those as far as the last one."""
    entropy = -math.fsum(p * math.log(p) for p in probabilities)
    distances = [abs(math.log(p) + entropy) for p in probabilities]
    order, reached, last = sorted(range(len(probabilities)), key=distances.__getitem__), 0.0, 0.0
    for number, token in enumerate(order):
        if number >= least and reached >= mass - 2**-22:
            break
        reached, last = reached + probabilities[token], distances[token]
    return [token for token in range(len(probabilities)) if distances[token] <= last + 2**-22]


@given(st.integers(0, 10**6), st.floats(0.01, 0.99), st.integers(1, 6))
def test_typical_tokens_are_as_surprising_as_the_whole_distribution(seed: int, mass: float, least: int) -> None:
    logits = random_logits(1, 20, seed).double()
    assert kept(typical_p(logits, mass, least)) == typical_tokens(logits.softmax(-1)[0].tolist(), mass, least)


def test_typical_leaves_out_the_likeliest_where_it_says_too_little() -> None:
    assert kept(typical_p(logits_of(0.4, 0.2, 0.2, 0.2), 0.5)) == [1, 2, 3]  # H = 1.33: .2 is .28 from it, .4 is .42
    assert kept(typical_p(logits_of(0.97, 0.01, 0.01, 0.01), 0.5)) == [0]
    assert kept(typical_p(logits_of(0.5, 0.25, 0.25), 0.2)) == [0, 1, 2]  # all are .5 ln 2 from H, on two sides
    assert kept(typical_p(torch.zeros(1, 5), 0.1)) == [0, 1, 2, 3, 4]
    assert kept(typical_p(logits_of(0.6, 0.3, 0.1, 0.0), 0.999)) == [0, 1, 2]  # what was removed before has no part
    assert kept(typical_p(logits_of(0.6, 0.3, 0.1), 1.0)) == [0, 1, 2]


@pytest.mark.parametrize("cut", [lambda x, m: top_k(x, 1, m), lambda x, m: top_p(x, 1e-9, m), lambda x, m: min_p(x, 1.0, m)])
def test_at_least_so_many_of_the_likeliest_are_kept(cut: Callable[[Tensor, int], Tensor]) -> None:
    for logits in (random_logits(), random_logits().round()):
        for least in (1, 2, 7, 30, 99):
            expected = top_k(logits, least) > OUT
            found = cut(logits, least) > OUT
            if cut(torch.zeros(1, 3), 1).isfinite().sum() > 1:  # min-p keeps every token that is as likely as the likeliest
                expected = expected | (logits == logits.amax(-1, keepdim=True))
            assert torch.equal(found, expected)
    assert kept(cut(torch.tensor([[OUT, 1.0, 0.0, OUT]]), 3)) == [1, 2]  # what was removed before does not return


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
        Settings(typical_p=0.6),
        Settings(no_repeat_ngram_size=1),
        Settings(top_k=1, typical_p=0.1, min_tokens_to_keep=4),
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
    if settings.no_repeat_ngram_size == 1:
        penalized[:, [0, 3]] = OUT
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
        (lambda x: typical_p(x, 0.7), "TypicalLogitsWarper", (0.7,)),
        (lambda x: top_k(x, 2, 4), "TopKLogitsWarper", (2, OUT, 4)),
        (lambda x: top_p(x, 0.3, 4), "TopPLogitsWarper", (0.3, OUT, 4)),
        (lambda x: min_p(x, 0.5, 4), "MinPLogitsWarper", (0.5, OUT, 4)),
        (lambda x: typical_p(x, 0.2, 4), "TypicalLogitsWarper", (0.2, OUT, 4)),
        (lambda x: repetition_penalty(x, x.new_zeros(len(x), 1).long(), 1.7), "RepetitionPenaltyLogitsProcessor", (1.7,)),
    ],
)  # fmt: skip
def test_without_ties_transformers_keeps_the_same(
    ours: Callable[[Tensor], Tensor], name: str, arguments: tuple[float, ...]
) -> None:
    """With ties its top-p separates equal tokens, by the order of its sort."""
    logits = random_logits()
    torch.testing.assert_close(ours(logits), warped(name, *arguments)(logits))


@pytest.mark.parametrize("k", [1, 5, 17, 30])
def test_with_ties_top_k_is_that_of_transformers(k: int) -> None:
    logits = random_logits().round()
    assert torch.equal(top_k(logits, k), warped("TopKLogitsWarper", k)(logits))


def test_temperature_is_transformers_up_to_a_constant() -> None:
    """Its largest logit is at max / T, ours at 0: the same distribution."""
    logits = random_logits()
    theirs = warped("TemperatureLogitsWarper", 0.7)(logits)
    torch.testing.assert_close(temperature(logits, 0.7).softmax(-1), theirs.softmax(-1))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), OUT])
def test_logits_that_are_no_numbers_are_a_clear_error(bad: float) -> None:
    with pytest.raises(ErlangenError, match="not finite"):
        choose(torch.full((2, 5), bad), Settings(), torch.zeros(2, dtype=torch.float64))
