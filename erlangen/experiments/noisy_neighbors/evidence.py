"""From the results of noisy-neighbors to the numbers that verdicts and figures share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from erlangen.experiments.kit.compare import known_ends
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed, read, spread_interval
from erlangen.experiments.noisy_neighbors.claims import KINDS, NAMES
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.tasks import NOISES, Separate, Train
from erlangen.records.runs import Group, JobResult
from erlangen.statistics.intervals import Interval

Quantity = Callable[[JobResult], float]
ALL = tuple(KINDS)


def layer_arm(evidence: Evidence, data: str, layer: str) -> Arm:
    """The results of one layer on one graph."""
    return replace(evidence.arm(Train, data=data, layer=layer), name=NAMES[layer])


def cell(recipe: Recipe, easy: bool) -> dict[str, float]:
    """The two classes that lie farthest apart, with the most neighbors of the other class; or the closest, with the fewest."""
    place = -1 if easy else 0
    return {"distance": recipe.distances[place], "other": recipe.others[place]}


def class_arm(evidence: Evidence, layer: str, **fields: float) -> Arm:
    """The results of one layer on two classes."""
    return replace(evidence.arm(Separate, layer=layer, **fields), name=NAMES[layer])


def under(what: str, regime: str, kinds: Sequence[str] = ALL, of: Callable[[Sequence[float]], float] = fmean) -> Quantity:
    """What was measured under noise: a mean over kinds of noise, or what else `of` makes of their values."""

    def value(result: JobResult) -> float:
        values = result.values(f"{regime}_noise_{what}")
        return of([values[NOISES.index(kind)] for kind in kinds]) if len(values) == len(NOISES) else math.nan

    return value


def fitted(regime: str, kinds: Sequence[str] = ALL) -> Quantity:
    """Least training accuracy, in percent, of the nets behind a comparison: of the one without noise, or one for each kind."""
    return (lambda result: result.value("train_accuracy")) if regime == "test" else under("fit", regime, kinds, min)


def geometric(ratios: Sequence[float], level: float = 0.95) -> Interval:
    """The geometric mean of ratios and its interval; unknown where one is not positive, its ends where all are equal."""
    return spread_interval([math.log(ratio) if ratio > 0 else math.nan for ratio in ratios], level).exp()


def of_share(arm: Arm, quantity: Quantity) -> Effect:
    """Attention over share: the geometric mean over seeds, which is what is judged, drawn and said."""
    effect = by_seed(lambda result: read(result, quantity), arm, estimator=geometric, test="t interval over seeds of logarithms")
    mean = effect.interval(0.95)
    shown = None if math.isnan(mean.estimate) else mean.estimate
    return replace(effect, groups=(Group(name=arm.name, mean=shown, interval=known_ends(mean), unit="of their share"),))
