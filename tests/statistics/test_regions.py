"""The rule for verdicts: what it decides, and how often it is wrong where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from erlangen.statistics import (
    Interval,
    Region,
    at_least,
    at_most,
    between,
    exceeds,
    falls_below,
    mean_interval,
    simultaneous_level,
    units_needed,
    within,
)


@pytest.mark.parametrize("number", [0.2, 1, None])
def test_a_bare_number_has_no_ends_to_decide_by(number: object):
    with pytest.raises(TypeError, match="decide takes an Interval, as mean_interval and paired_interval return, not"):
        within(1).decide(number)  # type: ignore[arg-type]


def interval(low: float, high: float, n: int = 5) -> Interval:
    return Interval((low + high) / 2, low, high, n)


@pytest.mark.parametrize(
    ("region", "low", "high", "decision"),
    [
        (exceeds(), 0.1, 2, "supported"),
        (exceeds(), 0.0, 2, "inconclusive"),  # 0 itself is no excess
        (exceeds(), -2, 0.0, "refuted"),
        (exceeds(0.5), 0.1, 2, "inconclusive"),
        (exceeds(0.5), 0.1, 0.4, "refuted"),
        (exceeds(1, than=50), 51.5, 60, "supported"),
        (falls_below(0.5), -2, -0.6, "supported"),
        (falls_below(0.5), -0.4, 2, "refuted"),
        (within(0.05), 0.02, 0.04, "supported"),  # what two judges once decided differently
        (within(0.05), -0.05, 0.05, "supported"),  # a closed region contains its edges
        (within(0.05), 0.05, 0.06, "inconclusive"),
        (within(0.05), 0.051, 0.06, "refuted"),
        (within(0.2, around=2), 1.9, 2.1, "supported"),
        (at_most(1.2), 0.9, 1.2, "supported"),
        (at_most(1.2), 1.21, 1.3, "refuted"),
        (at_least(0.9), 0.9, 1.0, "supported"),
        (between(80, 82), 80.5, 82.5, "inconclusive"),
        (within(0.05), math.nan, math.nan, "inconclusive"),
    ],
)
def test_the_rule(region: Region, low: float, high: float, decision: str):
    assert region.decide(interval(low, high)) == decision


def test_a_region_that_is_empty_is_refused():
    with pytest.raises(ValueError, match="is not below"):
        within(-0.1)
    with pytest.raises(ValueError, match="is not below"):
        Region(low=math.nan)


finite = st.floats(-100, 100)


@given(finite, finite, st.floats(0, 10), finite, finite)
def test_no_interval_both_supports_and_refutes_and_a_narrower_one_keeps_the_verdict(a, b, delta, c, d):
    low, high = sorted((a, b))
    for region in (exceeds(delta), falls_below(delta), within(delta), at_most(delta), at_least(delta)):
        decision = region.decide(interval(low, high))
        if decision != "inconclusive":
            inner = sorted(min(max(end, low), high) for end in (c, d))
            assert region.decide(interval(*inner)) == decision


def test_edges_scale_about_the_center():
    assert within(0.2, around=2).scaled(0.5) == within(0.1, around=2)
    assert exceeds(1, than=50).scaled(2).low == 52
    assert at_most(1.2, center=1).scaled(0.5).high == pytest.approx(1.1)
    assert at_most(1.2, center=1).ends() == (None, 1.2)


def test_units_needed_are_enough_and_one_less_is_not():
    rng = np.random.default_rng(3)
    values = rng.standard_normal(8)
    region = exceeds(0.2)
    now = mean_interval(values)
    assert region.decide(now) == "inconclusive"
    needed = units_needed(region, now)
    assert needed is not None
    spread, estimate = values.std(ddof=1), values.mean()
    for n, decided in ((needed, True), (needed - 1, False)):
        # n values with exactly this mean and this sample deviation
        ladder = np.linspace(-1, 1, n)
        same = estimate + spread * ladder / ladder.std(ddof=1)
        assert (region.decide(mean_interval(same)) != "inconclusive") == decided


@pytest.mark.parametrize(
    ("region", "found"),
    [
        (exceeds(), Interval(0.0, -1, 1, 5)),  # on the edge
        (exceeds(), Interval(1.0, math.nan, math.nan, 1)),  # no spread
        (exceeds(), Interval(1e-9, -1, 1, 5)),  # millions
        (Region(), Interval(1.0, math.nan, math.nan, 5)),
    ],
)
def test_units_needed_gives_up(region: Region, found: Interval):
    assert units_needed(region, found) is None


@pytest.mark.parametrize("parts", [1, 10])
@pytest.mark.parametrize("n", [3, 5, 10, 20])
@pytest.mark.parametrize(
    ("region", "truth"),
    [(exceeds(0.5), 0.5), (falls_below(0.5), -0.5), (within(0.5), 0.5), (within(2.0), -2.0), (at_most(1.2, center=1), 1.2)],
)
def test_at_the_edge_a_claim_is_wrongly_supported_or_refuted_in_2_5_percent_at_most(
    region: Region, truth: float, n: int, parts: int
):
    """All parts lie on the edge: any that is supported, or any that is refuted, is an error of the whole claim."""
    draws = 1500 if parts == 1 else 400
    rng = np.random.default_rng([n, parts, int(10 * truth) + 100])
    level = simultaneous_level(parts)
    supported = refuted = 0
    for worlds in truth + rng.standard_normal((draws, parts, n)):
        decisions = {region.decide(mean_interval(values, level)) for values in worlds}
        supported += "supported" in decisions
        refuted += "refuted" in decisions
    allowed = 0.025 + 3 * math.sqrt(0.025 * 0.975 / draws)
    assert supported / draws <= allowed
    assert refuted / draws <= allowed
