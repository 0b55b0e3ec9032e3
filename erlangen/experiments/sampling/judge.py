"""Temperature and top-p: verdicts and the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import AllOf, Check, Part
from erlangen.experiments.kit.texts import TEXTS, beyond_the_report
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.sampling import CLAIMS, EXTREMES, OUTCOMES, QUOTES, REPORT, Recipe, higher_first, part_name
from erlangen.experiments.sampling.evidence import difference, largest_difference, mean, nets, spread, text_noise
from erlangen.experiments.sampling.tasks import SOURCE, label
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.regions import at_most, exceeds

said = partial(wording, CLAIMS, QUOTES)


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Whether anything changes in the report's range, and how it changes in a wider one. Of the user's own text nobody spoke."""
    arm = nets(evidence)
    same = [unchanged(recipe, arm, outcome) for outcome in OUTCOMES if outcome != "loss"]
    anything = AllOf(
        **wording(CLAIMS, QUOTES if recipe.corpus in TEXTS else {}, REPORT),
        parts=tuple(part.part for part in same),
        corrected="They do make a difference.",
        note=f"Holds only if each of its {len(same)} parts does. The nets were stopped at their least validation loss; the "
        "report's were not.",
    )
    wide = [changed(recipe, arm, outcome, where) for where in EXTREMES if where != REPORT for outcome in OUTCOMES]
    return decide([anything, *same, changed(recipe, arm, "loss", REPORT), *wide])


def unchanged(recipe: Recipe, arm: Arm, outcome: str) -> Part:
    """Is an outcome the same in the report's settings? Both knobs must be seen to work where they do so by definition."""
    edge, why = smallest(recipe, arm, outcome)
    cold, hot = EXTREMES[REPORT]
    return Part(
        **said(part_name(outcome, REPORT)),
        effect=largest_difference(arm, SOURCE, outcome),
        region=at_most(edge, why=why),
        unit="largest difference between two settings",
        untrained=arm.above("validation_loss", recipe.fit),
        checks=(varies(arm, outcome), *(works(recipe, arm, where) for where in EXTREMES if where != REPORT)),
        corrected=lambda gap: f"It differs by {gap.estimate:.2g} between two of them.",
        note=f"A single text at {label(hot)} differs from one at {label(cold)} by {text_noise(arm, hot, cold, outcome):.2g} "
        "(standard deviation).",
    )


def changed(recipe: Recipe, arm: Arm, outcome: str, where: str) -> Part:
    """How an outcome changes over a range. The loss under the net itself does so by definition: a control."""
    edge, why = smallest(recipe, arm, outcome)
    higher, lower = higher_first(outcome, where)
    return Part(
        **said(part_name(outcome, where), "control" if outcome == "loss" else "extension"),
        effect=difference(arm, higher, lower, outcome),
        region=exceeds(edge, why=why),
        unit=f"{label(higher)} minus {label(lower)}",
        untrained=arm.above("validation_loss", recipe.fit),
        checks=(varies(arm, outcome),),
        corrected="It is not higher.",
    )


def varies(arm: Arm, outcome: str) -> Check:
    """Without a spread between passages there is no telling which difference is small."""
    deviation = spread(arm, outcome)
    return Check(name="held-out passages that differ in it", passed=None if math.isnan(deviation) else deviation > 0)


def works(recipe: Recipe, arm: Arm, where: str) -> Check:
    """Positive control: the loss under the net that writes is higher where more is left to chance."""
    gap = difference(arm, *higher_first("loss", where), "loss").interval(0.95).estimate
    passed = None if math.isnan(gap) else gap > smallest(recipe, arm, "loss")[0]
    return Check(name=f"a change of the loss under the net itself, {where}", passed=passed)


def smallest(recipe: Recipe, arm: Arm, outcome: str) -> tuple[float, str]:
    """The smallest difference that matters, in the outcome's unit, and why; infinite where the spread is unknown."""
    deviation = spread(arm, outcome)
    why = f"{recipe.margin:g} standard deviations between passages of held-out text: a small effect by Cohen's convention"
    return (recipe.margin * deviation if math.isfinite(deviation) else math.inf), why


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """The range of the outcomes' means over the report's settings."""
    arm = nets(evidence)
    means = {outcome: [mean(arm, label(setting), outcome).estimate for setting in SOURCE] for outcome in OUTCOMES}
    distinct, words = (
        f"{100 * min(means[outcome]):.3g} to {100 * max(means[outcome]):.3g} %" for outcome in ("distinct", "words")
    )
    loss = means["other-loss"]
    sentence = (
        f"In the report's four settings of temperature and top-p, {distinct} of two-word phrases are distinct, {words} of words "
        f"are in the dictionary, and the loss under another net is {min(loss):.3g} to {max(loss):.3g} nats per character."
    )
    return [answer("T10", verdicts, sentence, figure="outcomes", beyond=beyond_the_report(recipe.corpus))]
