"""The mean of a table with two random factors. Oracles: SciPy's t interval, where one factor does nothing, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from erlangen.statistics import crossed_interval

TABLES = 1500
ERROR = 3.5  # Monte Carlo standard errors that a share may be off


def tables(rows: int, columns: int, of_rows: float, of_columns: float, of_rest: float) -> np.ndarray:
    """Tables of mean 0 with these standard deviations of the factors and of the rest."""
    rng = np.random.default_rng(rows + 1000 * columns)
    drawn = of_rows * rng.normal(size=(TABLES, rows, 1)) + of_columns * rng.normal(size=(TABLES, 1, columns))
    return drawn + of_rest * rng.normal(size=(TABLES, rows, columns))


@pytest.mark.parametrize("level", [0.95, 0.99])
@pytest.mark.parametrize("components", [(1, 1, 1), (1, 0, 1), (0, 1, 1), (0, 0, 1), (1, 7, 1), (0.1, 0.3, 1)], ids=str)
@pytest.mark.parametrize("shape", [(4, 50), (3, 24), (8, 20)], ids=str)
def test_it_covers_at_least_as_often_as_it_says(shape: tuple[int, int], components: tuple[float, float, float], level: float):
    intervals = [crossed_interval(table, level) for table in tables(*shape, *components)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert covered >= level - ERROR * math.sqrt(level * (1 - level) / TABLES)


@pytest.mark.parametrize(("components", "near"), [((1, 0, 0.1), 0.95), ((0, 1, 0.01), 0.95), ((1, 1, 1), 0.956)], ids=str)
def test_with_4_nets_and_50_prompts_it_is_no_wider_than_it_must_be(components: tuple[float, float, float], near: float):
    """Exact where one factor dominates, a little wide where both count."""
    intervals = [crossed_interval(table) for table in tables(4, 50, *components)]
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert covered == pytest.approx(near, abs=ERROR * math.sqrt(0.05 * 0.95 / TABLES))


def test_intervals_over_entries_or_columns_alone_would_be_too_narrow():
    drawn = tables(4, 50, 1, 1, 1)
    for flatten in (lambda table: table.ravel(), lambda table: table.mean(0)):
        covered = [stats.ttest_1samp(flatten(table), 0).pvalue > 0.05 for table in drawn[:300]]
        assert np.mean(covered) < 0.7


@pytest.mark.parametrize("level", [0.9, 0.95, 0.997])
@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_it_is_students_interval_where_only_one_factor_differs(axis: str, level: float):
    x = np.random.default_rng(1).normal(0.3, 1, size=25)
    table = np.repeat(x[:, None], 12, 1) if axis == "rows" else np.repeat(x[None], 12, 0)
    found = crossed_interval(table, level)
    assert found[1:3] == pytest.approx(tuple(stats.ttest_1samp(x, 0).confidence_interval(level)), rel=1e-9)
    assert (found.estimate, found.n) == (pytest.approx(x.mean()), 12)


def test_the_residual_is_counted_once():
    """Of a table of noise alone both the row means' and the column means' variance are the residual's."""
    halves = [interval.high - interval.estimate for interval in map(crossed_interval, tables(40, 40, 0, 0, 1)[:300])]
    twice = math.sqrt(2) * stats.t.ppf(0.975, 39) / 40
    assert np.mean(halves) < 0.85 * twice


def test_rows_and_columns_may_be_exchanged():
    table = tables(4, 9, 1, 1, 1)[0]
    assert crossed_interval(table) == pytest.approx(crossed_interval(table.T))


def test_columns_with_an_entry_that_is_not_finite_are_left_out():
    table = tables(4, 9, 1, 1, 1)[0]
    broken = table.copy()
    broken[1, 3], broken[2, 7] = np.nan, np.inf
    assert crossed_interval(broken) == crossed_interval(np.delete(table, [3, 7], 1))


@pytest.mark.parametrize(
    "table", [np.ones((1, 9)), np.ones((4, 1)), np.full((4, 9), 0.1), np.zeros((4, 9))], ids=lambda t: t.shape
)
def test_without_spread_or_with_one_row_nothing_is_known_of_the_error(table: np.ndarray):
    found = crossed_interval(table)
    assert found.estimate == pytest.approx(table[0, 0])
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("table", [np.zeros((0, 0)), np.full((4, 9), np.nan)], ids=["empty", "nan"])
def test_of_nothing_there_is_no_mean(table: np.ndarray):
    assert all(map(math.isnan, crossed_interval(table)[:3]))


def test_what_is_no_table_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        crossed_interval([1.0, 2.0, 3.0])
