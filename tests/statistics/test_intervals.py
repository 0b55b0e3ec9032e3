"""Oracles: SciPy's own intervals and tests, closed forms, exact coverage, a hand-worked example."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from erlangen.statistics.intervals import (
    Interval,
    accuracy_difference,
    accuracy_interval,
    holm,
    mean_interval,
    paired_interval,
    paired_p_value,
    proportion_interval,
)

values = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=20)
pairs = st.lists(st.tuples(*[st.floats(-100, 100).map(lambda x: round(x, 3))] * 2), min_size=2, max_size=20)
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99])
NOTHING = [[], [math.nan, 1.0], [math.inf, 1.0, 2.0]]


def is_unknown(interval: Interval) -> bool:
    return all(math.isnan(end) for end in interval[:3])


@given(values, levels)
def test_mean_interval_is_scipys_t_interval(sample: list[float], level: float) -> None:
    found = mean_interval(sample, level)
    assert found.estimate == pytest.approx(np.mean(sample), abs=1e-9)
    assert found.n == len(sample)
    if len(set(sample)) > 1:
        expected = stats.t.interval(level, len(sample) - 1, loc=np.mean(sample), scale=stats.sem(sample))
        assert found[1:3] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    else:
        assert found[1:3] == pytest.approx((sample[0], sample[0]), abs=1e-9)


def test_mean_interval_covers_as_often_as_it_says() -> None:
    """2000 samples of 5: the share that covers lies within 3.5 standard errors, 0.017, of 0.95."""
    samples = np.random.default_rng(0).normal(3.0, 2.0, (2000, 5))
    covered = [found.low <= 3 <= found.high for found in map(mean_interval, samples.tolist())]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.017)


def test_one_value_tells_nothing_of_the_spread() -> None:
    found = mean_interval([4.0])
    assert found.estimate == 4
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("sample", NOTHING, ids=str)
def test_mean_of_nothing_or_of_what_is_not_finite_is_unknown(sample: list[float]) -> None:
    assert is_unknown(mean_interval(sample))
    assert mean_interval(sample).n == len(sample)


@given(st.integers(1, 300), levels)
def test_no_success_and_all_successes_have_their_closed_form(n: int, level: float) -> None:
    root = ((1 - level) / 2) ** (1 / n)
    assert proportion_interval(0, n, level)[:3] == pytest.approx((0, 0, 1 - root), abs=1e-9)
    assert proportion_interval(n, n, level)[:3] == pytest.approx((1, root, 1), abs=1e-9)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), levels)
def test_proportion_interval_is_by_beta_quantiles(counts: tuple[int, int], level: float) -> None:
    k, n = counts
    tail = (1 - level) / 2
    low = stats.beta.ppf(tail, k, n - k + 1) if k else 0
    high = stats.beta.ppf(1 - tail, k + 1, n - k) if k < n else 1
    assert proportion_interval(k, n, level) == pytest.approx((k / n, low, high, n), abs=1e-9)


def test_proportion_interval_covers_at_least_as_often_as_it_says() -> None:
    """Exactly, by summing over the outcomes."""
    n, found = 12, [proportion_interval(k, 12) for k in range(13)]
    for rate in np.linspace(0.01, 0.99, 99):
        covers = [k for k in range(n + 1) if found[k].low <= rate <= found[k].high]
        assert stats.binom.pmf(covers, n, rate).sum() >= 0.95


def test_proportion_of_nothing_is_unknown() -> None:
    assert is_unknown(proportion_interval(0, 0))


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=10).filter(lambda hits: len(set(hits)) > 1))
def test_accuracies_that_vary_get_a_t_interval(hits: list[int]) -> None:
    percents = [hit / 10 for hit in hits]
    t = mean_interval(percents)
    assert accuracy_interval(percents, 1000) == t._replace(low=max(t.low, 0), high=min(t.high, 100))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(2, 10), levels)
def test_accuracies_that_do_not_vary_get_a_binomial_interval(counts: tuple[int, int], seeds: int, level: float) -> None:
    """Over the images, however many seeds saw them."""
    hits, images = counts
    found, exact = accuracy_interval([100 * hits / images] * seeds, images, level), proportion_interval(hits, images, level)
    assert found == pytest.approx((100 * hits / images, 100 * exact.low, 100 * exact.high, seeds), abs=1e-9)


def test_one_seed_leaves_the_spread_unknown() -> None:
    assert accuracy_interval([100.0], 1000) == pytest.approx(mean_interval([100.0]), nan_ok=True)


def test_ten_perfect_seeds_are_not_certainty() -> None:
    found = accuracy_interval([100.0] * 10, 1000)
    assert found[:3] == pytest.approx((100, 100 * 0.025**0.001, 100), abs=1e-9)


@pytest.mark.parametrize("percents", NOTHING, ids=str)
def test_accuracy_of_nothing_is_unknown(percents: list[float]) -> None:
    assert is_unknown(accuracy_interval(percents, 1000))


@given(pairs, levels)
def test_paired_interval_is_that_of_the_differences(sample: list[tuple[float, float]], level: float) -> None:
    left, right = zip(*sample, strict=True)
    assert paired_interval(left, right, level) == mean_interval([a - b for a, b in sample], level)


@given(pairs)
def test_paired_interval_turns_its_sign_with_the_sides(sample: list[tuple[float, float]]) -> None:
    left, right = zip(*sample, strict=True)
    one, other = paired_interval(left, right), paired_interval(right, left)
    assert one == pytest.approx((-other.estimate, -other.high, -other.low, other.n), abs=1e-9)


def test_pairs_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 values on the left, 1 on the right"):
        paired_interval([1, 2, 3], [1])


@given(pairs.filter(lambda sample: np.ptp([a - b for a, b in sample]) > 1e-6))
def test_paired_p_value_is_scipys_and_agrees_with_the_interval(sample: list[tuple[float, float]]) -> None:
    left, right = zip(*sample, strict=True)
    p = paired_p_value(left, right)
    assert p == pytest.approx(stats.ttest_rel(left, right).pvalue, rel=1e-9, abs=1e-12)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == paired_interval(left, right).excludes(0)


def test_paired_p_value_where_differences_do_not_vary() -> None:
    assert paired_p_value([1, 2, 3], [1, 2, 3]) == 1
    assert paired_p_value([2, 3, 4], [1, 2, 3]) == pytest.approx(stats.binomtest(3, 3).pvalue)  # the sign test
    assert paired_p_value([2, 3], [1, 2]) == 0.5


@pytest.mark.parametrize(("left", "right"), [([], []), ([1], [2]), ([1, math.nan, 2], [1, 2, 3])], ids=str)
def test_paired_p_value_of_too_little_is_unknown(left: list[float], right: list[float]) -> None:
    assert math.isnan(paired_p_value(left, right))


def test_paired_p_value_refuses_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="3 values on the left, 1 on the right"):
        paired_p_value([1, 2, 3], [1])


def test_accuracy_difference_is_paired_where_the_differences_vary() -> None:
    left, right = [90.0, 91.5, 89.0], [90.5, 90.0, 90.0]
    assert accuracy_difference(left, right, 1000) == paired_interval(left, right)


@pytest.mark.parametrize("right", [[0.0, 0.0], [100.0, 100.0], [0.1, 0.1]], ids=str)
def test_accuracy_difference_without_spread_is_never_certain(right: list[float]) -> None:
    interval = accuracy_difference([0.0, 0.0], right, 1000)
    upper = 100 * (1 - 0.025 ** (1 / 1000))  # Clopper & Pearson, 0 of 1000
    assert interval.low <= interval.estimate == -right[0] < interval.high
    assert interval.high - interval.low >= upper


def test_a_coincidence_of_two_seeds_is_not_certainty_but_repetition_digit_for_digit_is() -> None:
    assert accuracy_difference([6.5, 6.9], [6.4, 6.8], 1000).high > 1
    assert accuracy_difference([6.5, 6.9], [6.5, 6.9], 1000)[:3] == (0, 0, 0)


def test_accuracies_stay_between_0_and_100() -> None:
    low, high = accuracy_interval([100.0, 99.0, 100.0], 1000)[1:3]
    assert low < 99
    assert high == 100


def closed_bonferroni(p: list[float]) -> list[float]:
    """Holm's test is the closure of Bonferroni's: the worst Bonferroni p over all families that hold the hypothesis."""
    families = [family for size in range(1, len(p) + 1) for family in itertools.combinations(range(len(p)), size)]
    bonferroni = {family: min(1.0, len(family) * min(p[i] for i in family)) for family in families}
    return [max(bonferroni[family] for family in families if i in family) for i in range(len(p))]


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=7)


def test_holm_by_hand() -> None:
    """Sorted .005 .01 .03 .04; times 4, 3, 2, 1: .02 .03 .06 .04; the last may not be less than the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(p_values)
def test_holm_is_the_closure_of_bonferroni(p: list[float]) -> None:
    assert holm(p) == pytest.approx(closed_bonferroni(p), rel=1e-12, abs=1e-300)


@given(p_values)
def test_holm_lies_between_the_raw_p_and_bonferronis(p: list[float]) -> None:
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert raw <= adjusted <= min(1.0, len(p) * raw)


@given(p_values)
def test_holm_keeps_the_order(p: list[float]) -> None:
    adjusted = [value for _, value in sorted(zip(p, holm(p), strict=True))]
    assert adjusted == sorted(adjusted)


@given(p_values.flatmap(lambda p: st.tuples(st.just(p), st.permutations(range(len(p))))))
def test_holm_does_not_see_the_order_given(case: tuple[list[float], list[int]]) -> None:
    p, order = case
    adjusted = holm(p)
    assert holm([p[i] for i in order]) == [adjusted[i] for i in order]


def test_holm_of_one_or_none_changes_nothing() -> None:
    assert holm([0.3]) == [0.3]
    assert holm([]) == []


def test_an_unknown_p_stays_unknown_and_still_counts() -> None:
    low, unknown, high = holm([0.01, math.nan, 0.02])
    assert math.isnan(unknown)
    assert (low, high) == pytest.approx((0.03, 0.04))


def test_within_asks_for_the_whole_interval() -> None:
    assert Interval(0, -1, 1, 5).within(1)
    assert not Interval(0, -1.1, 1, 5).within(1)
    assert not Interval(0, -1, 1.1, 5).within(1)
    assert not mean_interval([0.0]).within(1)


def test_excludes_is_the_ends_included() -> None:
    assert not Interval(1, 0, 2, 5).excludes(0)
    assert not Interval(-1, -2, 0, 5).excludes(0)
    assert Interval(1, 0.1, 2, 5).excludes(0)
    assert Interval(1, 0, 2, 5).excludes(3)


def test_an_unknown_interval_excludes_nothing() -> None:
    assert not mean_interval([4.0]).excludes(0)


def test_an_interval_of_logarithms_is_one_of_ratios():
    assert Interval(0.0, math.log(0.5), math.log(2), 7).exp() == pytest.approx((1, 0.5, 2, 7))
    assert math.isnan(Interval(1.0, math.nan, math.nan, 1).exp().low)


def test_an_interval_of_logarithms_as_one_of_ratios():
    assert Interval(0.0, -math.log(2), math.log(4), 5).exp() == pytest.approx((1.0, 0.5, 4.0, 5))
    wide = Interval(0.0, -1000.0, 1000.0, 2).exp()  # two seeds far apart, at a level of many parts
    assert (wide.low, wide.high) == (0.0, math.inf)
    assert math.isnan(Interval(0.0, math.nan, math.nan, 1).exp().low)
