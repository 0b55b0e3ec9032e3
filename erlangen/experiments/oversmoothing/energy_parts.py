"""The parts of G3 about energy: what depth leaves of it, before training and after, and what keeps it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from erlangen.experiments.kit.compare import known_ends
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed, ratio, read
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.tuning import tuning_check
from erlangen.experiments.oversmoothing import Recipe
from erlangen.experiments.oversmoothing.evidence import (
    at_rates,
    kept_at_start,
    nets,
    said,
    setting,
    smoothing_is_seen,
    something_to_prevent,
    starts,
    untrained,
)
from erlangen.records.runs import Group, JobResult
from erlangen.statistics.regions import at_least, exceeds

DEAD = "the features are all 0 or not finite there; try a lower --set rates or a larger --set width"


def energy_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Deep nets over shallow ones with B, before training and after it; B = I, and large first weights."""
    return [part(recipe, evidence) for part in (energy_before, energy_after, identity, weight_scale)]


def energy_before(recipe: Recipe, evidence: Evidence) -> Part:
    """The energy of deep untrained nets with B over that of shallow ones."""
    kept, other = (geometric(starts(recipe, evidence, name), partial(kept_at_start, recipe)) for name in ("root", "none"))
    without, share = (effect.interval(0.95).estimate for effect in (other, kept))
    return Part(
        **said(recipe, "energy before training"),
        effect=kept,
        region=at_least(recipe.keep, why="nets that keep less of their energy count as over-smoothed"),
        unit="of the energy",
        checks=(smoothing_is_seen(recipe, evidence), something_to_prevent(without, share, recipe.keep)),
        corrected=lambda kept: f"Before training, deep nets with B have {kept.estimate:.2g} of shallow ones' energy.",
        note=f"{setting(recipe)} Without B the same share is {without:.2g}.",
        remedy=DEAD,
    )


def geometric(arm: Arm, quantity: Callable[[JobResult], float]) -> Effect:
    """The geometric mean of a quantity over the seeds. One that is not positive counts as not finite."""

    def log(result: JobResult) -> float:
        value = read(result, quantity)
        return math.log(value) if value > 0 else math.nan

    logs = by_seed(log, arm, test="t interval over seeds of logarithms")
    mean = logs.exp().interval(0.95)
    return replace(logs.exp(), groups=(Group(name=arm.name, mean=finite(mean.estimate), interval=known_ends(mean)),))


def finite(value: float) -> float | None:
    """A number for a record; None where it is unknown."""
    return value if math.isfinite(value) else None


def energy_after(recipe: Recipe, evidence: Evidence) -> Part:
    """The energy of deep trained nets with B over that of shallow ones, each at their best learning rate."""
    deep, shallow, none, none_shallow = (
        nets(recipe, evidence, name, depth) for name in ("root", "none") for depth in (recipe.deep, recipe.depths[0])
    )
    kept, other = ratio(deep.arm, shallow.arm, "energy"), ratio(none.arm, none_shallow.arm, "energy")
    share, without = (effect.interval(0.95).estimate for effect in (kept, other))
    known = math.nan if untrained(recipe, none, none_shallow) else without
    return Part(
        **said(recipe, "energy after training"),
        effect=kept,
        region=at_least(recipe.keep, why="nets that keep less of their energy count as over-smoothed"),
        unit="of the energy",
        untrained=untrained(recipe, deep, shallow),
        checks=(
            smoothing_is_seen(recipe, evidence),
            something_to_prevent(known, share, recipe.keep),
            tuning_check(deep, shallow),
        ),
        corrected=lambda kept: f"After training, deep nets with B have {kept.estimate:.2g} of shallow ones' energy.",
        note=f"{setting(recipe)} Without B the same share is {without:.2g}. {at_rates(deep, shallow)}",
        remedy=DEAD,
    )


def identity(recipe: Recipe, evidence: Evidence) -> Part:
    """The share of the energy that deep untrained nets keep, with B = I over that with a random B."""
    fixed, random = (starts(recipe, evidence, name) for name in ("residual", "root"))
    return Part(
        **said(recipe, "identity"),
        effect=ratio(fixed, random, partial(kept_at_start, recipe)),
        region=exceeds(recipe.factor - 1, than=1.0, why="a smaller ratio of energies does not matter"),
        unit="times the share of energy that a random B keeps",
        corrected=lambda gain: f"The share of the energy that they keep is {gain.estimate:.2g} times as large.",
        note=f"{setting(recipe)} The first W are small enough that all layers together add as much as they are given.",
        remedy=DEAD,
    )


def weight_scale(recipe: Recipe, evidence: Evidence) -> Part:
    """The share of the energy that deep untrained tanh nets without B keep, with large first weights over usual ones."""
    large, usual = (starts(recipe, evidence, name) for name in ("tanh large", "tanh"))
    share = partial(kept_at_start, recipe)
    kept = [geometric(arm, share).interval(0.95).estimate for arm in (large, usual)]
    return Part(
        **said(recipe, "weight scale, tanh", "rival"),
        effect=ratio(large, usual, share),
        region=exceeds(recipe.factor - 1, than=1.0, why="a smaller ratio of energies does not matter"),
        unit="times the share of energy that usual first weights keep",
        corrected=lambda gain: f"Large first weights keep {gain.estimate:.2g} times as large a share.",
        note=f"{setting(recipe)} First weights multiplied by {recipe.large:g}: before training, deep nets have {kept[0]:.2g} of "
        f"shallow ones' energy; with usual weights, {kept[1]:.2g}.",
        remedy=DEAD,
    )
