"""The parts of T7 about syntax: how often nets of the trained length choose the grammatical one of two tales."""

from __future__ import annotations

from erlangen.experiments.kit.evidence import Evidence, difference
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Part
from erlangen.experiments.kit.tuning import Tuned, tuning_check
from erlangen.experiments.length import Recipe
from erlangen.experiments.length.claims import said
from erlangen.experiments.length.evidence import average, passes, share, tellers
from erlangen.experiments.length.tasks import RELATIVE, TALE_BLOCK
from erlangen.statistics.regions import exceeds

PARTS = {"rotary": "rotary, syntax", "alibi": "ALiBi, syntax"}
TELLS = 60.0  # percent of pairs, where a coin has 50: less, and the pairs do not show what a net knows of syntax


def syntax_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """Each kind of relative positions against learned ones."""
    return [
        AllOf(
            **said(recipe.corpus, "syntax"),
            parts=tuple(PARTS.values()),
            corrected="Not every kind of relative positions helps.",
        ),
        *(syntax(recipe, tellers(evidence, kind), tellers(evidence, "absolute"), PARTS[kind]) for kind in RELATIVE),
    ]


def syntax(recipe: Recipe, relative: Tuned, learned: Tuned, part: str) -> Part:
    """Points of pairs by which nets with relative positions choose the grammatical tale more often."""
    nets = (relative.arm, learned.arm)
    return Part(
        **said(recipe.corpus, part),
        effect=difference(*nets, share, unit="%"),
        region=exceeds(recipe.syntax, why=f"one pair in {100 / recipe.syntax:.0f} is the least that a reader would notice"),
        unit="points of pairs",
        untrained=tuple(name for arm in nets for name in arm.above("validation_loss", recipe.tale_fit)),
        checks=(tuning_check(relative, learned), *(tells(arm) for arm in (relative, learned)), leaves_room(recipe, learned)),
        corrected=lambda gain: f"They do so in {gain.high:.2g} points of pairs at most.",
        note=f"Trained and tested at {TALE_BLOCK} characters; learning rates {relative.rate:g} and {learned.rate:g}.",
    )


def tells(net: Tuned) -> Check:
    """Positive control: the pairs show that the nets know something of syntax."""
    name = f"{net.arm.name}: the grammatical tale is chosen more often than by chance"
    return Check(name, passes(average(net.arm, share), lambda value: value > TELLS))


def leaves_room(recipe: Recipe, learned: Tuned) -> Check:
    """Where nets with learned positions are always right, nothing can help."""
    name = f"nets with learned positions leave room for {recipe.syntax:g} points more"
    return Check(name, passes(average(learned.arm, share), lambda value: value < 100 - 2 * recipe.syntax))
