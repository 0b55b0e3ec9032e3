"""What the parts of T9 share, and those that a grammar decides: tales, few of them seen again and again or many about once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from erlangen.experiments.fairytales import CLAIMS, QUOTES, Recipe
from erlangen.experiments.fairytales.evidence import COPIES, GRAMMATICAL, NATS, NEW, TRAINING_LOSS, contrast, tales
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, difference, mean
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.texts import TEXTS
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import Of
from erlangen.statistics.regions import at_most, exceeds


def part(recipe: Recipe, name: str, effect: Effect, unit: str, of: Of = "extension", **fields: Any) -> Part:
    """A part of T9, whose effect must exceed the margin where no other region is given. Of the user's own text nobody spoke."""
    quotes = QUOTES if recipe.corpus in TEXTS else {}
    region = fields.pop("region", exceeds(recipe.margin, why=least(recipe)))
    return Part(**wording(CLAIMS, quotes, name, of), effect=effect, unit=unit, region=region, **fields)


def least(recipe: Recipe) -> str:
    """Why the margin is what it is."""
    percent = f"{100 * recipe.margin:g}"
    return f"the least that matters: {percent} in 100 words or texts, or {percent} % of a character's probability"


def check(name: str, value: float, passes: Callable[[float], bool]) -> tuple[Check]:
    """Whether a number is as it must be; unknown where it was not measured."""
    return (Check(name=name, passed=None if math.isnan(value) else passes(value)),)


def silent(recipe: Recipe, *arms: Arm) -> tuple[str, ...]:
    """Nets that fall short of the fit, or have not learned to tell tales, be they new or copied."""
    learned = [arm.below(GRAMMATICAL, recipe.learned, "of its tales are grammatical") for arm in arms]
    return untrained(recipe, *arms) + tuple(name for names in learned for name in names)


def untrained(recipe: Recipe, *arms: Arm) -> tuple[str, ...]:
    """Nets that fall short of the recipe's fit."""
    return tuple(name for arm in arms for name in arm.above(TRAINING_LOSS, recipe.fit, NATS))


def tale_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Few tales against many, in as many steps. That nets can learn the grammar, those that saw many must show."""
    few, many = tales(evidence, "few"), tales(evidence, "many")
    tale = partial(part, recipe)
    control = f"{100 * recipe.learned:g} % grammatical and new tales from nets that saw many"
    return [
        tale(
            "syntax of tales",
            mean(few, NEW, unit="of 1"),
            "share of tales that are grammatical and new",
            region=at_most(recipe.learned, why="a net with fewer has not learned the grammar"),
            bounds=(0.0, 1.0),
            untrained=silent(recipe, few),
            checks=check(control, many.mean(NEW).estimate, lambda share: share >= recipe.learned),
            corrected=lambda share: f"{100 * share.estimate:.0f} % of its tales are grammatical and new.",
            note="Judged on generated tales, whose grammar is known; no grammar decides what makes sense in a book.",
        ),
        tale(
            "new tales",
            difference(many, few, NEW, unit="of 1"),
            "share of tales that are grammatical and new, after many minus after few",
            untrained=silent(recipe, few, many),
            corrected="It tells no more new ones.",
        ),
        tale(
            "distance to the true entropy",
            difference(few, many, "last_above_floor", unit=NATS),
            f"{NATS} above the entropy, after few minus after many",
            untrained=untrained(recipe, few, many),
            corrected="It comes as close.",
        ),
        tale(
            "copied tales",
            contrast(few, ("copies", COPIES), ("grammatical and new", NEW)),
            "share of tales, copies minus grammatical and new ones",
            untrained=silent(recipe, few),
            corrected="At least as many are new.",
        ),
    ]
