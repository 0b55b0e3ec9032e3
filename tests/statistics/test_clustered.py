"""Oracles: the definitions as plain programs, SciPy's binomial, exact and simulated coverage (`support/coverage.py`)."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy import stats
from support.coverage import (
    ErrorCell,
    FlipCell,
    asked,
    error_cells,
    error_coverage,
    flip_cells,
    flip_coverage,
)

from erlangen.statistics.clustered import (
    Moments,
    RelativeError,
    chance_flips,
    flip_rate,
    mid_p_ends,
    relative_error,
    with_skewness,
    without_skewness,
)
from erlangen.statistics.intervals import proportion_interval

SITES = {"one site each": [1] * 6, "many sites": [4, 4, 4], "unequal": [1, 9, 2, 5, 1], "one input": [5], "two": [1, 1]}


def outputs(sites: list[int], seed: int = 0, features: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [2 + rng.normal(size=features) + rng.normal(size=(count, features)) for count in sites]


def plain_spread(rows: list[np.ndarray]) -> float:
    if not rows:
        return math.nan
    stacked = np.concatenate(rows)
    return math.sqrt(((stacked - stacked.mean(0)) ** 2).mean())


def plain_without(rows: list[np.ndarray]) -> list[float]:
    return [plain_spread(rows[:i] + rows[i + 1 :]) for i in range(len(rows))]


def errors_of(n: int, seed: int = 0, sigma: float = 0.7) -> tuple[list[float], list[int]]:
    """Sums and counts of n inputs with 1 to 5 pairs."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, n)
    return [float(rng.lognormal(sigma=sigma, size=count).sum()) for count in counts], counts.tolist()


# Moments


@pytest.mark.parametrize("sites", SITES.values(), ids=SITES)
def test_moments_are_those_of_the_rows_at_hand(sites: list[int]) -> None:
    rows = outputs(sites)
    found = Moments.of(iter(rows))
    assert found.spread == pytest.approx(plain_spread(rows), rel=1e-12)
    assert found.rms == pytest.approx(math.sqrt((np.concatenate(rows) ** 2).mean()), rel=1e-12)
    assert found.spreads_without == pytest.approx(plain_without(rows), rel=1e-10, nan_ok=True)
    assert found.sites.tolist() == sites


def test_a_huge_constant_part_does_not_touch_the_spread() -> None:
    rows = [1e6 + 1e-3 * row for row in outputs([1, 4, 2, 1])]
    centered = [row - 1e6 for row in rows]  # exact in floating point
    found = Moments.of(rows)
    assert found.spread == pytest.approx(plain_spread(centered), rel=1e-9)
    assert found.spreads_without == pytest.approx(plain_without(centered), rel=1e-9)
    assert found.rms == pytest.approx(1e6, rel=1e-6)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_input_that_holds_nearly_all_spread_can_be_left_out(place: int) -> None:
    rows = outputs([2, 1, 3, 1])
    rows[place] = 1e9 + rows[place]
    found = Moments.of(rows).spreads_without
    assert found == pytest.approx(plain_without(rows), rel=1e-6)


def test_constant_outputs_have_no_spread_at_all() -> None:
    found = Moments.of([np.full((3, 2), 0.1), np.full((1, 2), 0.1), np.full((7, 2), 0.1)])
    assert found.spread == 0
    assert found.spreads_without.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_tensors_count_like_arrays(dtype: torch.dtype) -> None:
    rows = [torch.tensor(row).to(dtype) for row in outputs([1, 4, 2])]
    assert Moments.of(rows).spread == pytest.approx(plain_spread([row.double().numpy() for row in rows]), rel=1e-12)


def test_moments_of_what_is_not_finite_are_not() -> None:
    rows = outputs([1, 2, 2])
    rows[1][0, 0] = math.nan
    assert math.isnan(Moments.of(rows).spread)


def test_moments_refuse_nothing_and_rows_of_other_lengths() -> None:
    with pytest.raises(ValueError, match="no outputs"):
        Moments.of([])
    with pytest.raises(ValueError, match=r"output 1 has rows of shape \(2, 4\), output 0 has D = 3"):
        Moments.of([np.zeros((2, 3)), np.zeros((2, 4))])


# Relative error


def plain_jackknife(sums: list[float], counts: list[int], rows: list[np.ndarray]) -> tuple[float, float, float]:
    """Bias-corrected logarithm, its standard error and skewness by pseudo-values (Tukey), each ratio computed afresh."""

    def log_ratio(kept: list[int]) -> float:
        means = [sums[i] / counts[i] for i in kept if counts[i]]
        return math.log(np.mean(means) / plain_spread([rows[i] for i in kept]))

    n = len(sums)
    whole = log_ratio(list(range(n)))
    pseudo = [n * whole - (n - 1) * log_ratio([i for i in range(n) if i != gone]) for gone in range(n)]
    return float(np.mean(pseudo)), float(stats.sem(pseudo)), float(stats.skew(pseudo, bias=False))


@pytest.mark.parametrize("sites", [[1] * 7, [3, 1, 4, 1, 5, 9, 2]], ids=str)
@pytest.mark.parametrize("without_pairs", [[], [2, 5]], ids=str)
def test_relative_error_is_a_jackknife_over_inputs_in_error_and_spread(sites: list[int], without_pairs: list[int]) -> None:
    sums, counts = errors_of(7)
    for index in without_pairs:
        sums[index], counts[index] = 0.0, 0
    rows = outputs(sites)
    found = relative_error(sums, counts, Moments.of(rows))
    means = [total / count for total, count in zip(sums, counts, strict=True) if count]
    assert found.interval.estimate == pytest.approx(np.mean(means) / plain_spread(rows))
    assert found.interval.n == len(means)
    assert (found.center, found.error, found.skewness) == pytest.approx(plain_jackknife(sums, counts, rows), rel=1e-9)


@given(st.integers(3, 40), st.integers(0, 1000), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_holds_students_and_the_estimate(n: int, seed: int, level: float) -> None:
    found = relative_error(*errors_of(n, seed), Moments.of(outputs([2] * n)), level)
    low, high = np.exp(stats.t.interval(level, n - 1, loc=found.center, scale=found.error))
    assert found.interval.low <= low * (1 + 1e-9)
    assert found.interval.high >= high * (1 - 1e-9)
    assert found.interval.low <= found.interval.estimate <= found.interval.high
    assert found.interval.low <= low * (1 - 1e-9) or found.interval.high == pytest.approx(high) or found.skewness > 0


def test_alike_errors_with_a_biased_spread_do_not_push_the_estimate_out() -> None:
    """One site each and many features: the spread is sure, but too small by √(1 - 1/n)."""
    found = relative_error([0.3] * 8, [1] * 8, Moments.of(outputs([1] * 8, features=4000)))
    assert math.exp(found.center + stats.t.ppf(0.975, 7) * found.error) < found.interval.estimate <= found.interval.high
    assert found.p_value(found.interval.estimate) == 1


def lone(n: int, spreads: int = 2) -> RelativeError:
    return relative_error([0.0] * (n - 1) + [1.7], [1] * n, Moments.of(outputs([spreads] * n)))


def found_cases() -> dict[str, RelativeError]:
    cases = {f"log n={n}": relative_error(*errors_of(n), Moments.of(outputs([2] * n))) for n in (2, 3, 8, 50)}
    return {**cases, **{f"lone n={n}": lone(n) for n in (2, 4, 20)}}


@pytest.mark.parametrize("found", found_cases().values(), ids=found_cases())
def test_p_is_below_1_minus_level_just_outside_the_interval(found: RelativeError) -> None:
    interval = found.interval
    assert found.p_value(interval.high) == pytest.approx(0.05, rel=1e-6)
    assert found.p_value(interval.high * 1.01) < 0.05 < found.p_value(interval.high * 0.99)
    if interval.low:
        assert found.p_value(interval.low) == pytest.approx(0.05, rel=1e-6)
        assert found.p_value(interval.low * 0.99) < 0.05 < found.p_value(interval.low * 1.01)
    else:
        assert found.p_value(1e-12) > 0.05


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_errors_and_outputs_carry_their_unit_over(error_scale: float, output_scale: float) -> None:
    sums, counts = errors_of(9)
    rows = outputs([2] * 9)
    base = relative_error(sums, counts, Moments.of(rows)).interval
    scaled = relative_error([error_scale * total for total in sums], counts, Moments.of([output_scale * row for row in rows]))
    ratio = error_scale / output_scale
    assert scaled.interval == pytest.approx((*(ratio * end for end in base[:3]), 9), rel=1e-9)


@given(st.permutations(range(9)))
def test_the_order_of_inputs_means_nothing(order: list[int]) -> None:
    sums, counts = errors_of(9)
    rows = outputs([1, 5, 2, 1, 1, 7, 3, 2, 2])
    base = relative_error(sums, counts, Moments.of(rows))
    moved = relative_error([sums[i] for i in order], [counts[i] for i in order], Moments.of([rows[i] for i in order]))
    assert moved.interval == pytest.approx(base.interval, rel=1e-9)


def test_one_input_tells_nothing_of_others() -> None:
    found = relative_error([3.0], [2], Moments.of(outputs([5])))
    assert found.interval.estimate == pytest.approx(1.5 / plain_spread(outputs([5])))
    assert math.isnan(found.interval.low)
    assert math.isnan(found.interval.high)
    assert math.isnan(found.p_value(0.1))
    assert math.isnan(found.detectable(0.1))
    assert not found.interval.excludes(1e9)


def test_two_inputs_of_one_site_leave_no_spread_behind() -> None:
    found = relative_error([1.0, 2.0], [1, 1], Moments.of(outputs([1, 1])))
    assert found.interval.estimate > 0
    assert math.isnan(found.interval.high)


def test_no_error_at_all_has_no_upper_bound() -> None:
    found = relative_error([0.0] * 5, [3] * 5, Moments.of(outputs([2] * 5)))
    assert found.interval[:2] == (0, 0)
    assert math.isnan(found.interval.high)
    assert math.isnan(found.p_value(0.1))


@pytest.mark.parametrize("n", [2, 4, 10, 100])
def test_one_input_with_an_error_gets_the_wider_of_student_and_clopper_pearson(n: int) -> None:
    rows = outputs([2] * n)
    found = relative_error([0.0] * (n - 1) + [1.7], [1] * n, Moments.of(rows)).interval
    alone = 1.7 / plain_spread(rows)
    means = [1.7 / (n - 1)] * (n - 1) + [0.0]
    pseudo = [alone - (n - 1) * mean / rest for mean, rest in zip(means, plain_without(rows), strict=True)]
    assert found.estimate == pytest.approx(alone / n)
    assert found.low == 0
    student = found.estimate + stats.t.ppf(0.975, n - 1) * stats.sem(pseudo)
    assert found.high == pytest.approx(max(student, proportion_interval(1, n).high * alone), rel=1e-9)


@pytest.mark.parametrize(
    ("sums", "rows"),
    [([1.0, math.nan], outputs([2, 2])), ([1.0, math.inf], outputs([2, 2])), ([1.0, 2.0], [np.ones((2, 3))] * 2)],
    ids=["nan", "inf", "no spread"],
)
def test_what_cannot_be_measured_is_unknown(sums: list[float], rows: list[np.ndarray]) -> None:
    found = relative_error(sums, [1, 1], Moments.of(rows)).interval
    assert all(math.isnan(value) for value in found[:3])


def test_no_pairs_are_unknown() -> None:
    assert math.isnan(relative_error([0.0, 0.0], [0, 0], Moments.of(outputs([2, 2]))).interval.estimate)


def test_lengths_that_differ_and_negative_errors_are_refused() -> None:
    with pytest.raises(ValueError, match="2 sums, 2 counts and outputs of 3 inputs"):
        relative_error([1, 2], [1, 1], Moments.of(outputs([2, 2, 2])))
    with pytest.raises(ValueError, match="negative"):
        relative_error([1, -2], [1, 1], Moments.of(outputs([2, 2])))


def test_spreads_of_all_magnitudes_give_an_interval_without_an_end() -> None:
    rows = outputs([4, 4])
    found = relative_error([1.0, 1.0], [1, 1], Moments.of([rows[0], 1e-60 * rows[1]]))
    assert 0 <= found.interval.low < found.interval.estimate < found.interval.high == math.inf
    assert found.detectable(0.1) == 0


@given(st.floats(-20, 20), st.floats(-3, 3), st.integers(3, 200))
def test_halls_transform_rises_and_is_undone(t: float, skewness: float, n: int) -> None:
    assert with_skewness(without_skewness(t, skewness, n), skewness, n) == pytest.approx(t, abs=1e-4)
    assert without_skewness(t + 0.01, skewness, n) > without_skewness(t, skewness, n)


def test_halls_transform_evens_the_tails_of_skew_data() -> None:
    """Student's t of 20 exponentials misses above and below unevenly; transformed, less so."""
    data = np.random.default_rng(0).exponential(size=(4000, 20))
    t = (data.mean(1) - 1) / stats.sem(data, axis=1)
    skewness = stats.skew(data, axis=1, bias=False)
    evened = np.array([without_skewness(float(a), float(b), 20) for a, b in zip(t, skewness, strict=True)])
    reach = stats.t.ppf(0.975, 19)
    unevenness = [abs((values < -reach).mean() - (values > reach).mean()) for values in (t, evened)]
    assert unevenness[1] < unevenness[0] / 2


def test_what_is_called_detectable_is_detected_four_times_in_five() -> None:
    rng, n, moments, threshold = np.random.default_rng(0), 40, Moments.of(outputs([5] * 40, features=50)), 0.1
    draw = rng.lognormal(-(0.25**2) / 2, 0.25, (2000, n)) * moments.spread  # ratio 1
    found = [relative_error(sums, [1] * n, moments) for sums in draw]
    detectable = float(np.median([one.detectable(threshold) for one in found]))
    assert 0 < detectable < threshold
    told = [detectable * one.interval.high < threshold for one in found]
    assert np.mean(told) == pytest.approx(0.8, abs=0.06)


# Flips


@pytest.mark.parametrize("n", [1, 2, 10, 100])
def test_no_flip_and_all_flips_count_inputs_alone(n: int) -> None:
    none, every = flip_rate([0] * n, [7] * n), flip_rate([7] * n, [7] * n)
    assert none.interval == pytest.approx(proportion_interval(0, n))
    assert every.interval == pytest.approx(proportion_interval(n, n))
    assert none.effective == every.effective == n


@given(st.lists(st.integers(0, 1), min_size=2, max_size=60).filter(lambda flips: 0 < sum(flips) < len(flips)))
def test_one_pair_an_input_is_a_binomial(flips: list[int]) -> None:
    """Mid-P by its definition, with SciPy's binomial."""
    n, k = len(flips), sum(flips)
    found = flip_rate(flips, [1] * n)
    assert found.effective == pytest.approx(n)
    low, high = found.interval[1:3]
    assert stats.binom.sf(k, n, low) + stats.binom.pmf(k, n, low) / 2 == pytest.approx(0.025, rel=1e-6)
    assert stats.binom.cdf(k - 1, n, high) + stats.binom.pmf(k, n, high) / 2 == pytest.approx(0.025, rel=1e-6)
    exact = proportion_interval(k, n)
    assert exact.low < found.interval.low < k / n < found.interval.high < exact.high


@given(st.lists(st.integers(0, 6), min_size=3, max_size=30).filter(lambda flips: 0 < sum(flips) < 6 * len(flips)))
def test_effective_n_is_by_the_variance_of_the_inputs_rates(flips: list[int]) -> None:
    """Equally many pairs: deff = m · s² / (r (1 - r)), s of the inputs' rates; t of the inputs that tell."""
    n, m = len(flips), 6
    rates = np.array(flips) / m
    deff = max(1e-9, m * rates.var(ddof=1) / (rates.mean() * (1 - rates.mean())))
    telling = min(np.count_nonzero(rates), np.count_nonzero(rates < 1), n - 1)
    expected = n * m / deff * (stats.t.ppf(0.975, n * m - 1) / stats.t.ppf(0.975, telling)) ** 2
    found = flip_rate(flips, [m] * n)
    assert found.effective == pytest.approx(min(max(expected, n), n * m), rel=1e-9)
    assert n <= found.effective * (1 + 1e-12) <= n * m * (1 + 1e-12)


@given(st.lists(st.booleans(), min_size=2, max_size=30).filter(lambda flips: 0 < sum(flips) < len(flips)), st.integers(2, 50))
def test_inputs_that_flip_wholly_or_not_at_all_count_once(flips: list[bool], m: int) -> None:
    found, once = flip_rate([m * flip for flip in flips], [m] * len(flips)), flip_rate(flips, [1] * len(flips))
    assert found.effective == pytest.approx(once.effective)
    assert found.interval == pytest.approx(once.interval)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(6, 9)), min_size=2, max_size=12), st.randoms())
def test_flips_and_stays_mirror_each_other_in_any_order(cases: list[tuple[int, int]], random) -> None:
    base = flip_rate(*zip(*cases, strict=True))
    random.shuffle(cases)
    mirrored = flip_rate([m - k for k, m in cases] + [0], [m for _, m in cases] + [0])  # an input without pairs is nothing
    assert mirrored.effective == pytest.approx(base.effective)
    assert mirrored.interval == pytest.approx(
        (1 - base.interval.estimate, 1 - base.interval.high, 1 - base.interval.low, len(cases)), abs=1e-9
    )


def test_large_inputs_that_flip_wholly_weigh_more() -> None:
    """Kish: wholly dependent pairs, unequally many, say as much as M² / Σ pairs² independent ones."""
    pairs = np.array([20, 20, 1, 1, 1, 1])
    found = flip_rate(pairs * [1, 0, 1, 0, 1, 0], pairs)
    assert found.effective == pytest.approx(44**2 / (2 * 400 + 4))


def test_one_input_counts_as_one_pair() -> None:
    found = flip_rate([3], [10])
    assert found.effective == pytest.approx(1)
    assert found.interval.high - found.interval.low > 0.8


def test_no_pair_has_no_rate() -> None:
    assert math.isnan(flip_rate([0, 0], [0, 0]).interval.estimate)


def test_impossible_flips_are_refused() -> None:
    with pytest.raises(ValueError, match="flips of 2 inputs, pairs of 1"):
        flip_rate([1, 2], [3])
    with pytest.raises(ValueError, match="more than pairs"):
        flip_rate([4], [3])


def test_mid_p_covers_exactly_as_asked() -> None:
    """By summing over the outcomes, one pair an input: 95 ± 2 % from 50 inputs at rates of 0.1 and more, else ≥ 92 %."""
    for n, rate in itertools.product((10, 20, 50, 100, 200), (0.02, 0.1, 0.3, 0.5)):
        found = [flip_rate([1] * k + [0] * (n - k), [1] * n).interval for k in range(n + 1)]
        covers = [k for k in range(n + 1) if found[k].low <= rate <= found[k].high]
        coverage = stats.binom.pmf(covers, n, rate).sum()
        low, high = asked(FlipCell(n, 1, 0.0, rate))
        assert low <= coverage <= high, (n, rate, coverage)


@pytest.mark.parametrize("rate", [0.1, 0.37, 0.5])
def test_mid_p_needs_no_whole_numbers(rate: float) -> None:
    ends = np.array([mid_p_ends(rate, n, 0.025) for n in np.linspace(20, 21, 5)])
    assert (np.diff(ends[:, 0]) > 0).all()
    assert (np.diff(ends[:, 1]) < 0).all()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(any))
def test_chance_flips_is_the_share_of_unlike_pairs(counts: list[int]) -> None:
    classes = [label for label, count in enumerate(counts) for _ in range(count)]
    unlike = [a != b for a, b in itertools.product(classes, classes)]
    assert chance_flips(counts) == pytest.approx(np.mean(unlike), abs=1e-12)


def test_chance_flips_of_nothing_is_unknown() -> None:
    assert math.isnan(chance_flips([]))
    assert chance_flips([7, 0]) == 0


# Coverage


def assert_covers(cell: FlipCell | ErrorCell, coverage: float, replicates: int, errors: float) -> None:
    """Within what is asked, but for so many standard errors of the simulation itself."""
    low, high = asked(cell)
    slack = [errors * math.sqrt(bound * (1 - bound) / replicates) for bound in (low, high)]
    assert low - slack[0] <= coverage <= high + slack[1], (cell, coverage)


HARD_FLIPS = [
    FlipCell(10, 20, 0.3, 0.1),
    FlipCell(20, 20, 0.3, 0.02),
    FlipCell(50, 20, 0.3, 0.02),
    FlipCell(50, 5, 0.9, 0.1),
    FlipCell(50, 5, 0.0, 0.1),
    FlipCell(50, 20, 0.3, 0.3, unequal=True),
]
HARD_ERRORS = [
    ErrorCell(10, 20, 1.0),
    ErrorCell(10, 1, 0.25),
    ErrorCell(20, 5, 1.0, sites=3),
    ErrorCell(50, 5, 0.5),
    ErrorCell(20, 5, 0.5, none=0.9),
]


@pytest.mark.parametrize("cell", HARD_FLIPS, ids=str)
def test_flip_intervals_cover_where_it_is_hard(cell: FlipCell) -> None:
    assert_covers(cell, flip_coverage(cell, 1000)[0], 1000, errors=2)


@pytest.mark.parametrize("cell", HARD_ERRORS, ids=str)
def test_error_intervals_cover_where_it_is_hard(cell: ErrorCell) -> None:
    assert_covers(cell, error_coverage(cell, 1000)[0], 1000, errors=2)


@pytest.mark.slow
@pytest.mark.parametrize("cell", list(flip_cells()), ids=str)
def test_flip_intervals_cover(cell: FlipCell) -> None:
    assert_covers(cell, flip_coverage(cell, 4000)[0], 4000, errors=1)


@pytest.mark.slow
@pytest.mark.parametrize("cell", list(error_cells()), ids=str)
def test_error_intervals_cover(cell: ErrorCell) -> None:
    assert_covers(cell, error_coverage(cell, 2000)[0], 2000, errors=1)
