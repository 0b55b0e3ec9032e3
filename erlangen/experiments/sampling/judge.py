"""Temperature and top-p: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.texts import TEXTS, beyond_the_report
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.sampling import CLAIMS, EXTREMES, OUTCOMES, QUOTES, RANGES, REPORT, Recipe, part_name
from erlangen.experiments.sampling.evidence import Largest, mean, nets
from erlangen.experiments.sampling.guards import as_the_regime_needs, covers, sees, untrained, varies
from erlangen.experiments.sampling.regime_parts import regime_parts
from erlangen.experiments.sampling.tasks import Regime, label
from erlangen.records.runs import Answer, Of, Verdict
from erlangen.statistics.regions import Region, at_most, exceeds

START: dict[Regime, str] = {
    "memorizing": "In nets that know their text by heart, what the report's four settings of temperature/top-p change most is",
    "stopped": "In nets that were stopped early it is",
}
UNIT = "standard deviations between texts, largest difference between two settings in any outcome"


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Whether anything changes in the report's range, in either regime, and whether far settings show that it can be seen."""
    same = [unchanged(recipe, evidence, where, regime) for regime in recipe.regimes for where in RANGES]
    far = [changed(recipe, evidence, where, regime) for regime in recipe.regimes for where in EXTREMES]
    judged = recipe.corpus in TEXTS and "memorizing" in recipe.regimes
    return decide([*same, *far, *(regime_parts(recipe, nets(evidence, "memorizing")) if judged else [])])


def unchanged(recipe: Recipe, evidence: Evidence, where: str, regime: Regime) -> Part:
    """Is every outcome the same in all settings of a range?"""
    return part(recipe, evidence, where, regime, "extension", at_most(recipe.margin, why=smallest(recipe)))


def changed(recipe: Recipe, evidence: Evidence, where: str, regime: Regime) -> Part:
    """Positive control: settings that are far apart must be seen to make a difference."""
    return part(recipe, evidence, where, regime, "control", exceeds(recipe.margin, why=smallest(recipe)))


def part(recipe: Recipe, evidence: Evidence, where: str, regime: Regime, of: Of, region: Region) -> Part:
    """The largest difference over a range of settings. Of the user's own text nobody spoke."""
    arm, settings = nets(evidence, regime), {**RANGES, **EXTREMES}[where]
    largest = Largest(arm, settings)
    quotes = QUOTES if recipe.corpus in TEXTS else {}
    seen = () if of == "control" else sees(recipe, arm)
    return Part(
        **wording(CLAIMS, quotes, part_name(where, regime), of),
        effect=largest.effect(),
        region=region,
        unit=UNIT,
        untrained=untrained(recipe, arm, regime),
        checks=(*varies(arm, settings), *covers(arm, settings), *as_the_regime_needs(recipe, arm, regime), *seen),
        corrected="It does." if of != "control" else "It is not seen to.",
        note=f"The largest difference: {apart(largest)}." if largest.arm.results else "",
    )


def smallest(recipe: Recipe) -> str:
    """Why the margin is what it is."""
    return f"{recipe.margin:g} standard deviations between texts of one setting: a small effect by Cohen's convention"


def apart(largest: Largest) -> str:
    """'real words, from 97.1 % (1/0.9) to 99.2 % (0.65/0.85)'"""
    means = [(label(one), 100 * mean(largest.arm, label(one), largest.widest.outcome).estimate) for one in largest.widest.pair]
    (left, low), (right, high) = sorted(means, key=lambda one: one[1])
    return f"{OUTCOMES[largest.widest.outcome][0]}, from {low:.3g} % ({left}) to {high:.3g} % ({right})"


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What changes most in the report's four settings, in either regime."""
    told = [
        f"{START[regime]} {apart(found)}: {found.interval().estimate:.2g} standard deviations between texts."
        for regime in recipe.regimes
        if (found := Largest(nets(evidence, regime), RANGES[REPORT])).arm.results
    ]
    return [answer("T10", verdicts, " ".join(told), figure="outcomes", beyond=beyond_the_report(recipe.corpus))]
