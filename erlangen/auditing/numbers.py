"""The numbers of a check for its record: errors over the spread with intervals, curves, and changes of the predicted class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from erlangen.auditing.pair import Outputs
from erlangen.auditing.tally import Tally
from erlangen.records.audit import Flips, Point
from erlangen.statistics.clustered import Moments, RelativeError, chance_flips, flip_rate, relative_error
from erlangen.statistics.intervals import Interval

POINTS = 12  # of a curve, at most
Errors = Mapping[int, Sequence[float]]  # of the pairs of each input, by its index
Group = tuple[str, float | None, list[int]]  # label, size, rows


def spread(moments: Moments) -> float:
    """The spread of the outputs; NaN if there is only one row, which has none."""
    return moments.spread if moments.sites.sum() > 1 else math.nan


def estimate(errors: Errors, n: int, moments: Moments) -> RelativeError:
    """Mean error over spread, with an interval over the n inputs; over elements if only one input has pairs."""
    if len(errors) == 1:
        return estimate_one_input(next(iter(errors.values())), spread(moments))
    sums, counts = np.zeros(n), np.zeros(n, dtype=int)
    for i, values in errors.items():
        sums[i], counts[i] = sum(values), len(values)
    return relative_error(sums.tolist(), counts.tolist(), moments)


def estimate_one_input(errors: Sequence[float], whole: float) -> RelativeError:
    """The same for one input, with elements taken as independent: a t-interval for log(mean), to first order."""
    mean = float(np.mean(errors))
    ratio = mean / whole if whole > 0 else math.nan
    n = len(errors)
    if n < 2 or not ratio > 0:
        return RelativeError(Interval(ratio, math.nan, math.nan, n))
    error = float(np.std(errors, ddof=1)) / math.sqrt(n) / mean
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return RelativeError(
        Interval(ratio, ratio * math.exp(-reach), ratio * math.exp(reach), n), math.log(ratio), error, jackknifed=n
    )


def errors_of(sampled: Tally) -> dict[int, list[float]]:
    """The errors alone, by input."""
    return {i: [error for error, _, _ in errors] for i, errors in sampled.errors.items()}


@dataclass(frozen=True)
class Column:
    """The column of an output that errs most. error: its mean error in units of its own spread; low: the end of its interval.

    contrast: whether it is the difference between this column and the mean of all. certain: whether it varies by more than
    rounding explains.
    """

    index: int
    count: int
    error: float
    low: float
    contrast: bool
    certain: bool


def worst_column(sampled: Tally, spreads: Tensor, rounding: Tensor) -> Column | None:
    """The column with the highest lower bound of its mean error; one that is certain, if one of those errs by half its spread.

    spreads (2D,): of each column and contrast over all rows of all outputs. rounding (2D,): what rounding may add up to in each.
    Bounds are t-intervals over inputs, 95 % over all columns (Bonferroni). None with fewer than four inputs, or where no column
    varies.
    """
    fitting = all(total.shape == spreads.shape for total in sampled.columns.values())
    if len(sampled.columns) < 4 or not fitting or not bool((spreads > 0).any()):
        return None
    means = torch.stack([total / len(sampled.errors[i]) for i, total in sampled.columns.items()]) / spreads  # (n, D)
    n, count = means.shape
    reach = float(stats.t.ppf(1 - 0.025 / count, n - 1)) * means.std(0) / math.sqrt(n)
    lows = torch.where(spreads > 0, means.mean(0) - reach, -torch.inf)  # (D,)
    certain = spreads > rounding
    best = torch.where(certain, lows, -torch.inf)
    index = int(best.argmax() if float(best.max()) > 0.5 else lows.argmax())
    error, low, width = float(means.mean(0)[index]), float(lows[index]), count // 2
    return Column(index % width, width, error, low, contrast=index >= width, certain=bool(certain[index]))


def flips(sampled: Tally, outputs: Outputs) -> Flips | None:
    """How often the predicted class changed; None if the output has no classes, or nearly all inputs share one."""
    if len(sampled.flips) < 2:
        return None
    classes = np.unique([int(outputs[i].argmax()) for i in sampled.flips], return_counts=True)[1]
    chance = chance_flips(classes.tolist())
    if chance < 0.01:
        return None
    counts = list(sampled.flips.values())
    estimate = flip_rate([sum(flips) for flips in counts], [len(flips) for flips in counts])
    pairs, flipped = sum(map(len, counts)), sum(map(sum, counts))
    interval = (estimate.interval.low, estimate.interval.high)
    return Flips(
        rate=flipped / pairs, interval=interval, effective=estimate.effective, flipped=flipped, pairs=pairs, ties=sampled.ties,
        chance=chance,
    )  # fmt: skip


def curve(sampled: Tally, n: int, moments: Moments) -> tuple[Point, ...]:
    """Error by the size of the element; by its label if elements have no size and labels are few."""
    rows = [(i, error, label, size) for i, errors in sampled.errors.items() for error, label, size in errors]
    sizes = np.array([math.nan if size is None else size for *_, size in rows])
    groups = group_by_size(sizes) if np.isfinite(sizes).all() else group_by_label([label for *_, label, _ in rows])
    return tuple(point(label, size, [rows[k][:2] for k in members], n, moments) for label, size, members in groups)


def group_by_size(sizes: np.ndarray) -> list[Group]:
    """Rows of one size each if there are few sizes; else groups of about as many rows, of similar size."""
    values = np.unique(sizes)
    if len(values) <= POINTS:
        groups = [np.flatnonzero(sizes == value) for value in values]
    else:
        edges = np.unique(np.quantile(sizes, np.linspace(0, 1, POINTS + 1)))
        which = np.clip(np.searchsorted(edges, sizes, side="right") - 1, 0, len(edges) - 2)
        groups = [np.flatnonzero(which == place) for place in range(len(edges) - 1)]
    return [(f"{sizes[group].mean():.3g}", float(sizes[group].mean()), group.tolist()) for group in groups if len(group)]


def group_by_label(labels: Sequence[str]) -> list[Group]:
    """Rows of one label each; nothing if there are many labels."""
    names = sorted(set(labels))
    return [(name, None, [k for k, label in enumerate(labels) if label == name]) for name in names if len(names) <= POINTS]


def point(label: str, size: float | None, errors: Sequence[tuple[int, float]], n: int, moments: Moments) -> Point:
    """One point of the curve, from pairs (input, error)."""
    grouped: dict[int, list[float]] = {}
    for i, error in errors:
        grouped.setdefault(i, []).append(error)
    interval = estimate(grouped, n, moments).interval
    mean = finite(interval.estimate)
    return Point(label=label, size=size, error=mean, interval=ends(interval), inputs=len(grouped), pairs=len(errors))


def ends(interval: Interval) -> tuple[float | None, float | None]:
    """The ends of an interval; (None, None) if either is not known: a bound on one side alone is hard to read."""
    known = math.isfinite(interval.low) and math.isfinite(interval.high)
    return (interval.low, interval.high) if known else (None, None)


def finite(value: float) -> float | None:
    """None for NaN and infinity, which JSON does not have."""
    return value if math.isfinite(value) else None
