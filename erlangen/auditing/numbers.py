"""What a page says of a check's pairs, in numbers: errors over the spread with intervals, curves, flips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from erlangen.auditing.pair import Outputs
from erlangen.auditing.tally import Tally
from erlangen.records.audit import Flips, Point
from erlangen.statistics.clustered import Moments, RelativeError, chance_flips, flip_rate, relative_error
from erlangen.statistics.intervals import Interval

PLACES = 12  # of a curve, at most
Errors = Mapping[int, Sequence[float]]  # of the pairs of each input


def spread(moments: Moments) -> float:
    """NaN where there is one row of numbers only: nothing is known of a spread."""
    return moments.spread if moments.sites.sum() > 1 else math.nan


def estimate(errors: Errors, n: int, moments: Moments) -> RelativeError:
    """Mean error over spread, over the n inputs; with one that has pairs, over its elements: for this input only."""
    if len(errors) == 1:
        return one_input(next(iter(errors.values())), spread(moments))
    sums, counts = np.zeros(n), np.zeros(n, dtype=int)
    for i, values in errors.items():
        sums[i], counts[i] = sum(values), len(values)
    return relative_error(sums.tolist(), counts.tolist(), moments)


def one_input(errors: Sequence[float], whole: float) -> RelativeError:
    """The same for one input, over its elements, as if independent: t on the logarithm of their mean, to first order."""
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


def by_input(sampled: Tally) -> dict[int, list[float]]:
    """The errors alone."""
    return {i: [error for error, _, _ in errors] for i, errors in sampled.errors.items()}


def flips(sampled: Tally, outputs: Outputs) -> Flips | None:
    """How often the class changed; None where the output has no classes, or (nearly) all inputs fall into one."""
    if len(sampled.flips) < 2:
        return None
    classes = np.unique([int(outputs[i].argmax()) for i in sampled.flips], return_counts=True)[1]
    chance = chance_flips(classes.tolist())
    if chance < 0.01:
        return None
    counts = list(sampled.flips.values())
    found = flip_rate([sum(flips) for flips in counts], [len(flips) for flips in counts])
    pairs, flipped = sum(map(len, counts)), sum(map(sum, counts))
    interval = (found.interval.low, found.interval.high)
    return Flips(
        rate=flipped / pairs, interval=interval, effective=found.effective, flipped=flipped, pairs=pairs, ties=sampled.ties,
        chance=chance,
    )  # fmt: skip


def curve(sampled: Tally, n: int, moments: Moments) -> tuple[Point, ...]:
    """Error by size of the element, or by its label where it has no size and there are few."""
    rows = [(i, error, label, size) for i, errors in sampled.errors.items() for error, label, size in errors]
    if not rows:
        return ()
    sizes = np.array([math.nan if size is None else size for *_, size in rows])
    places: list[tuple[str, float | None, list[int]]] = []
    if np.isfinite(sizes).all():
        edges = np.unique(np.quantile(sizes, np.linspace(0, 1, PLACES + 1)))
        values = np.unique(sizes)
        if len(values) <= PLACES:
            groups = [np.flatnonzero(sizes == value) for value in values]
        else:
            which = np.clip(np.searchsorted(edges, sizes, side="right") - 1, 0, len(edges) - 2)
            groups = [np.flatnonzero(which == place) for place in range(len(edges) - 1)]
        places = [(f"{sizes[group].mean():.3g}", float(sizes[group].mean()), group.tolist()) for group in groups if len(group)]
    else:
        labels = sorted({label for *_, label, _ in rows})
        if len(labels) > PLACES:
            return ()
        places = [(label, None, [k for k, row in enumerate(rows) if row[2] == label]) for label in labels]
    return tuple(point(label, size, [rows[k][:2] for k in members], n, moments) for label, size, members in places)


def point(label: str, size: float | None, errors: Sequence[tuple[int, float]], n: int, moments: Moments) -> Point:
    """One place of the curve, from (input, error)s."""
    grouped: dict[int, list[float]] = {}
    for i, error in errors:
        grouped.setdefault(i, []).append(error)
    found = estimate(grouped, n, moments)
    ends = (none(found.interval.low), none(found.interval.high))
    return Point(
        label=label, size=size, error=none(found.interval.estimate), interval=ends, inputs=len(grouped), pairs=len(errors)
    )


def none(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
