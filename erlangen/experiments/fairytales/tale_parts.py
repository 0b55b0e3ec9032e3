"""What a grammar decides: tales, few of them seen again and again or many about once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.evidence import NATS, tales
from erlangen.experiments.fairytales.parts import as_trained_as_the_report, check, part, untrained
from erlangen.experiments.kit.evidence import Evidence, difference, mean
from erlangen.experiments.kit.parts import Part
from erlangen.statistics.regions import at_most

KINDS = {"order": ("word order of tales", "order of words"), "kinds": ("sense of tales", "kind of noun")}  # part, what is chosen


def tale_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Right against wrong in new tales, after few; that the choice can be learned, nets that saw many must show."""
    if not recipe.tale_steps:
        return []
    few, many = tales(evidence, "few"), tales(evidence, "many")
    choices = [choice(recipe, evidence, kind) for kind in KINDS]
    far = partial(part, recipe, "distance to the true entropy", difference(few, many, "last_above_floor", unit=NATS))
    return [
        *choices,
        far(
            f"{NATS} above the entropy, after few minus after many",
            untrained=untrained(recipe, few, many),
            corrected="It comes as close.",
        ),
    ]


def choice(recipe: Recipe, evidence: Evidence, kind: str) -> Part:
    """Is a net that saw few tales right about new ones no more often than a coin?"""
    few, many = tales(evidence, "few"), tales(evidence, "many")
    name, chosen = KINDS[kind]
    right = many.mean(f"last_{kind}").estimate
    control = f"{100 * recipe.sees:g} % right choices by nets that saw many tales"
    return part(
        recipe,
        name,
        replace(mean(few, f"last_{kind}", unit="of 1"), missing=few.missing + many.missing),
        "share of right choices",
        region=at_most(recipe.aware, center=0.5, why=f"a coin is right in 50 %; {100 * recipe.aware:g} % is the least to notice"),
        bounds=(0.0, 1.0),
        untrained=untrained(recipe, few),
        checks=(as_trained_as_the_report(recipe, few), *check(control, right, lambda share: share >= recipe.sees)),
        corrected=lambda share: f"It chooses the right {chosen} in {100 * share.estimate:.0f} % of new tales; a coin: 50 %.",
        note=f"Nets that saw many tales choose right in {100 * right:.0f} %. Judged on generated tales, whose grammar is known; "
        "no grammar decides what makes sense in a book.",
    )
