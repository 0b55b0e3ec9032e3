"""The trainings of a run by net and distance, each half of the seeds at the learning rate and pool that suit the other best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from statistics import fmean
from typing import TypeAlias

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed, matches
from erlangen.experiments.kit.parts import Check
from erlangen.experiments.receptive_field.plan import Cell
from erlangen.experiments.receptive_field.tasks import Learn
from erlangen.records.runs import Group, JobResult
from erlangen.statistics.intervals import Interval, proportion_interval

Setting: TypeAlias = tuple[str, float]  # pool, learning rate
Settings: TypeAlias = Mapping[Setting, Mapping[int, JobResult]]  # the results of each by seed


SURE = math.log(2) / 2  # nats: half the loss of a guess


def learned(result: JobResult) -> float:
    """1 where a net tells the distances apart wherever the marks are, else 0; NaN where it was not measured or diverged.

    The accuracy alone would not show it: on a torus all images of a distance are one image, shifted, so that a net whose logits
    differ by a millionth is right about all of them or about none.
    """
    accuracy, loss = result.value("test_accuracy"), result.value("validation_loss")
    return math.nan if math.isnan(accuracy) or math.isnan(loss) else float(accuracy == 100 and loss < SURE)


def settings_of(evidence: Evidence, cell: Cell) -> Settings:
    """The results of a cell by pool and learning rate."""
    found: dict[Setting, dict[int, JobResult]] = {}
    for result in evidence.of(Learn, net=cell.net, layers=cell.layers, distance=cell.distance):
        found.setdefault((str(result.params["pool"]), float(str(result.params["lr"]))), {})[result.seed] = result
    return found


def best(settings: Settings, seeds: Sequence[int]) -> Setting:
    """The setting at which the most of these seeds have learned, or of several the one that took the fewest updates.

    Raises ValueError where there is no setting.
    """

    def rank(setting: Setting) -> tuple[float, float]:
        kept = [settings[setting][seed] for seed in seeds]
        return -count(kept), fmean([result.value("updates") for result in kept] or [0.0])

    return min(settings, key=rank)


def count(results: Sequence[JobResult]) -> int:
    """How many of them have learned."""
    return sum(learned(result) == 1 for result in results)


def arm(evidence: Evidence, cell: Cell) -> Arm:
    """The trainings of a cell, one for each seed: at the setting that is best for the other half of the seeds.

    A choice that a seed has no part in does not favor it. A job that gave no result is missing, at whatever setting.
    """
    settings = settings_of(evidence, cell)
    seeds = common(settings)
    halves = seeds[::2], seeds[1::2]
    results = {seed: settings[best(settings, others)][seed] for half, others in (halves, halves[::-1]) for seed in half}
    fields = {"net": cell.net, "layers": cell.layers, "distance": cell.distance}
    missing = tuple(job.label() for job in evidence.missing if matches(job, Learn, fields))
    return Arm(f"{cell.title}, {cell.distance} columns", results, missing)


def common(settings: Settings) -> list[int]:
    """The seeds that were trained at every setting."""
    return sorted(set.intersection(*map(set, settings.values()))) if settings else []


def counted(values: Sequence[float], level: float) -> Interval:
    """The share of the values that are 1, and its exact interval (Clopper & Pearson); unknown where one is no number."""
    if not values or not all(map(math.isfinite, values)):
        return Interval(math.nan, math.nan, math.nan, len(values))
    return exact_interval(round(sum(values)), len(values), level)


@cache
def exact_interval(successes: int, n: int, level: float) -> Interval:
    """`proportion_interval`, whose ends take a search, once for each count."""
    return proportion_interval(successes, n, level)


def share(trained: Arm) -> Effect:
    """The share of trainings that have learned."""
    values = list(trained.values(learned).values())
    whole = counted(values, 0.95)
    ends = (whole.low, whole.high) if math.isfinite(whole.estimate) else (None, None)
    groups = [Group(name=trained.name, mean=whole.estimate if values and ends[0] is not None else None, interval=ends)]
    return by_seed(learned, trained, estimator=counted, test="Clopper-Pearson interval over trainings", groups=groups)


def taught(trained: Arm, most: float) -> tuple[Arm, tuple[str, ...]]:
    """The nets of an arm that have learned; where they are no more than `most` of all, all nets, and the names of the others."""
    kept = {seed: result for seed, result in trained.results.items() if learned(result) != 0}
    if len(kept) > most * len(trained.results):
        return replace(trained, results=kept), ()
    return trained, trained.below("test_accuracy", 100)


def still_learning(trained: Arm, most: float) -> tuple[str, ...]:
    """The nets that have not learned, but whose loss fell by more than `most` in the last third of their training."""
    falls = {
        seed: result.value("late_loss") - result.value("train_loss")
        for seed, result in sorted(trained.results.items())
        if learned(result) == 0
    }
    return tuple(
        f"{trained.name} seed {seed} (still falling: {fall:.2g} nats)" for seed, fall in falls.items() if not fall <= most
    )


def tuning_check(evidence: Evidence, cell: Cell) -> Check:
    """Whether no setting beyond those tried promises more.

    It fails if more seeds learn at an outermost rate, or with a pool that was tried at one rate only, than at any rate in
    between. Two outermost settings that are equally good vouch for nothing.
    """
    settings = settings_of(evidence, cell)
    name = f"the best learning rate and pool lie within those that were tried ({cell.title}, {cell.distance} columns)"
    if not settings:
        return Check(name, None)
    counts = {setting: count(list(results.values())) for setting, results in settings.items()}
    return Check(name, max(counts.values()) <= max((counts[setting] for setting in between(settings)), default=0))


def between(settings: Settings) -> list[Setting]:
    """The settings whose learning rate lies between others that were tried with the same pool."""
    rates = {pool: [lr for other, lr in settings if other == pool] for pool, _ in settings}
    return [(pool, lr) for pool, lr in settings if min(rates[pool]) < lr < max(rates[pool])]


def slope(depths: Sequence[int], sizes: Sequence[float]) -> float:
    """The exponent β of the least-squares fit log size = β log depth + constant; NaN where a size is not positive."""
    if not all(size > 0 for size in sizes):
        return math.nan
    x, y = [math.log(depth) for depth in depths], [math.log(size) for size in sizes]
    center, level = fmean(x), fmean(y)
    across = sum((a - center) * (b - level) for a, b in zip(x, y, strict=True))
    return across / sum((a - center) ** 2 for a in x)
