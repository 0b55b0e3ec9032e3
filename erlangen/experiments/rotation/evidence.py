"""The results of `rotation`: which image each net got right at each angle, and contrasts of such tables with their intervals.

Nets and test images are both drawn at random, so that intervals are taken over both (`erlangen.statistics.crossed`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.tasks import WORD, Train, angles
from erlangen.records.runs import Group, JobResult
from erlangen.statistics.crossed import crossed_interval
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import simultaneous_level

UNKNOWN = np.full((1,), np.nan)
OVER_BOTH = "t interval over seeds and test images, both drawn at random"
Rows = Callable[..., np.ndarray]  # results of one seed, one of each arm -> (N,) in percent for each image


def arm(evidence: Evidence, name: str) -> Arm:
    """The nets of one arm by seed."""
    return evidence.arm(Train, arm=name)


def right(result: JobResult, epochs: int, view: str = "turned") -> np.ndarray:
    """100 where the net is right after so many epochs, else 0: (angles, N), in percent; one column of NaN if not measured."""
    words, images = result.values(f"right, {view}, {epochs} epochs"), result.value("test images")
    count = len(angles(int(str(result.params["step"]))))
    if not (words and images > 0):
        return np.full((count, 1), np.nan)
    return unpacked(tuple(words), count, int(images))


@lru_cache(maxsize=512)
def unpacked(words: tuple[float, ...], rows: int, images: int) -> np.ndarray:
    """The inverse of `viewing.packed`, times 100: (rows, images); one column of NaN if a word is missing or not finite."""
    numbers = np.asarray(words, dtype=np.float64)
    if len(numbers) != rows * -(-images // WORD) or not np.isfinite(numbers).all():
        return np.full((rows, 1), np.nan)
    bits = (numbers.astype(np.int64).reshape(rows, -1)[..., None] >> np.arange(WORD)) & 1  # (rows, words, WORD)
    return 100 * bits.reshape(rows, -1)[:, :images].astype(np.float64)


def over_both(rows: Rows, *arms: Arm, groups: Sequence[Group] = ()) -> Effect:
    """The mean of rows(results of one seed) over seeds and images, with its interval over both."""
    effect = by_seed(lambda *results: float(rows(*results).mean()), *arms, groups=groups, test=OVER_BOTH)
    return replace(effect, interval=lambda level: crossed_interval(table(rows, *arms), level))


def table(rows: Rows, *arms: Arm) -> np.ndarray:
    """What `rows` makes of each seed that all arms have: (seeds, N); (0, 1) without any."""
    seeds = sorted(set.intersection(*(set(arm.results) for arm in arms)))
    made = [rows(*(arm.results[seed] for arm in arms)) for seed in seeds]
    return np.stack(made) if made and len({len(row) for row in made}) == 1 else np.empty((0, 1))


def at_each_angle(rows: Callable[..., np.ndarray], level: float, *arms: Arm) -> list[Interval]:
    """Simultaneous intervals of each angle; rows: results of one seed -> (angles, N)."""
    tables = by_angle(rows, *arms)
    return [crossed_interval(table, simultaneous_level(len(tables), level)) for table in tables]


def by_angle(rows: Callable[..., np.ndarray], *arms: Arm) -> np.ndarray:
    """What `rows` makes of each seed that all arms have: (angles, seeds, N); (0,) without any."""
    seeds = sorted(set.intersection(*(set(arm.results) for arm in arms)))
    made = [rows(*(arm.results[seed] for arm in arms)) for seed in seeds]
    return np.stack(made, 1) if made and len({row.shape for row in made}) == 1 else np.empty(0)


def place(recipe: Recipe, angle: int) -> int:
    """Where an angle stands among those of the test."""
    return angles(recipe.step).index(angle % 360)


def neighbors(recipe: Recipe) -> int:
    """Degrees from a peak to the angles that it is compared with: 30, or what is nearest to it in steps."""
    steps = max(1, round(30 / recipe.step))
    return steps * recipe.step


def peak(recipe: Recipe, accuracies: np.ndarray, angle: int) -> np.ndarray:
    """How far an angle stands out from its two neighbors; accuracies (angles, N) -> (N,)."""
    side = neighbors(recipe)
    left, right_hand = (accuracies[place(recipe, angle + turn)] for turn in (-side, side))
    difference: np.ndarray = accuracies[place(recipe, angle)] - (left + right_hand) / 2
    return difference


def peaks(recipe: Recipe, result: JobResult, at: Sequence[int]) -> np.ndarray:
    """How far each of several angles stands out after the recipe's epochs, (len(at), N)."""
    accuracies = right(result, recipe.epochs)
    return np.stack([peak(recipe, accuracies, angle) for angle in at])


def lost(accuracies: np.ndarray) -> np.ndarray:
    """Upright minus the mean of all other angles; (angles, N) -> (N,)."""
    difference: np.ndarray = accuracies[0] - accuracies[1:].mean(0)
    return difference


def accuracy(net: Arm, epochs: int, chosen: slice = slice(None), view: str = "turned") -> Interval:
    """Mean accuracy in percent over seeds, images and the chosen angles, with a 95 % interval of its own."""
    return crossed_interval(table(lambda result: right(result, epochs, view)[chosen].mean(0), net))


def slope(values: Sequence[float]) -> float:
    """Least-squares slope of a curve per step."""
    return (
        float(np.polyfit(np.arange(len(values)), np.asarray(values, dtype=np.float64), 1)[0]) if len(values) > 1 else float("nan")
    )


def last_epoch(recipe: Recipe, name: str) -> int:
    """After how many epochs the training of an arm ends."""
    return recipe.long if name in recipe.longer else recipe.epochs


def untrained(recipe: Recipe, epochs: int, *nets: Arm) -> tuple[str, ...]:
    """The nets that, after so many epochs, fall short of the fit on validation images such as they were trained on."""

    def fit(result: JobResult) -> float:
        curve = result.values("validation as trained by epoch")
        return float(curve[epochs - 1] or math.nan) if len(curve) >= epochs else math.nan

    return tuple(name for net in nets for name in net.below(fit, recipe.fit))
