"""What the parts of T9 share: their wording, the guards, and whether nets are in the report's regime."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from erlangen.experiments.fairytales import CLAIMS, QUOTES, Recipe
from erlangen.experiments.fairytales.evidence import COPIED_STRINGS, NATS, TRAINING_LOSS, published
from erlangen.experiments.kit.evidence import Arm, Effect
from erlangen.experiments.kit.parts import Check, Part, reaches
from erlangen.experiments.kit.texts import TEXTS
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.records.runs import Of
from erlangen.statistics.regions import Region, exceeds, within


def said(recipe: Recipe, name: str, of: Of = "extension") -> Wording:
    """The wording of a part: the report's where it spoke of it. Of the user's own text nobody spoke."""
    return wording(CLAIMS, QUOTES if recipe.corpus in TEXTS else {}, name, of)


def part(recipe: Recipe, name: str, effect: Effect, unit: str, of: Of = "extension", **fields: Any) -> Part:
    """A part of T9, whose effect must exceed the margin where no other region is given."""
    region = fields.pop("region", exceeds(recipe.margin, why=least(recipe)))
    return Part(**said(recipe, name, of), effect=effect, unit=unit, region=region, **fields)


def least(recipe: Recipe) -> str:
    """Why the margin is what it is."""
    percent = f"{100 * recipe.margin:g}"
    return f"the least that matters: {percent} in 100 words or texts, or {percent} % of a character's probability"


def check(name: str, value: float, passes: Callable[[float], bool]) -> tuple[Check]:
    """Whether a number is as it must be; unknown where it was not measured."""
    return (Check(name=name, passed=None if math.isnan(value) else passes(value)),)


def untrained(recipe: Recipe, *arms: Arm, loss: str = TRAINING_LOSS) -> tuple[str, ...]:
    """Nets that fall short of the recipe's fit. loss: that of the training text under the weights that are compared."""
    return tuple(name for arm in arms for name in arm.above(loss, recipe.fit, NATS))


def loss_of_the_report(recipe: Recipe) -> Region:
    """Training losses that count as those of the report's regime."""
    loss = published()["train_loss_by_epoch"][-1]
    return within(recipe.near, around=loss, why=f"the published loss, give or take {recipe.near:g} {NATS}")


def copying_of_the_report(recipe: Recipe) -> Region:
    """Copied shares that count as those of the report's regime."""
    share = published()["copied_20_characters"]
    why = f"that of the report's eight samples, give or take {recipe.copying:g}: so few samples tell no more"
    return within(recipe.copying, around=share, why=why)


def as_trained_as_the_report(recipe: Recipe, nets: Arm) -> Check:
    """Whether the nets' training loss is the report's."""
    name = f"a training loss within {recipe.near:g} {NATS} of the report's, {nets.name}"
    return reaches(name, nets, TRAINING_LOSS, loss_of_the_report(recipe))


def in_the_regime(recipe: Recipe, nets: Arm) -> tuple[Check, ...]:
    """Whether nets are as the report's; of the user's own text nothing is said of them, so they need not be."""
    if recipe.corpus not in TEXTS:
        return ()
    name = f"copied strings within {recipe.copying:g} of the share in the report's samples"
    return as_trained_as_the_report(recipe, nets), reaches(name, nets, COPIED_STRINGS, copying_of_the_report(recipe))
