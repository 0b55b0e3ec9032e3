"""The parts of T7 about near answers and the text: whether a longer text than those of training raises the loss."""

from __future__ import annotations

from erlangen.experiments.kit.evidence import Arm, Evidence, difference
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Part
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.length import Recipe
from erlangen.experiments.length.claims import said
from erlangen.experiments.length.evidence import LONG, TRAINED, at, passes, readers, recalled, rise
from erlangen.experiments.length.tasks import BLOCK, LONGEST, RELATIVE, TUNED
from erlangen.statistics.regions import at_most, falls_below

TITLES = {"rotary": "rotary", "alibi": "ALiBi"}
WAYS = (("rotary", "plain"), ("alibi", "plain"), ("absolute", "clamped"))  # that the answer compares


def near_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """Whether the loss stays what it is at the trained length, where a longer text tells no more."""
    parts = [
        near(recipe, evidence, arm(evidence, kind), f"{TITLES[kind]}, near, {where}", f"plain {what}")
        for where, arm, what in (("registers", recalled, "near"), ("text", readers, "loss"))
        for kind in RELATIVE
    ]
    return [
        AllOf(
            **said(recipe.corpus, "relative, near"),
            parts=tuple(part.part for part in parts),
            corrected="Not all of them are: see the parts for each kind of positions.",
        ),
        *parts,
        near(recipe, evidence, readers(evidence, "rotary"), "NTK, near, text", "ntk loss"),
        without_positions(recipe, evidence),
        near(
            recipe, evidence, recalled(evidence, "rotary"), "interpolated and tuned, near", f"{TUNED} near", start="plain near"
        ),
    ]  # fmt: skip


def near(recipe: Recipe, evidence: Evidence, arm: Arm, part: str, name: str, start: str = "") -> Part:
    """Whether the loss at the longest length is at most a little above that at the trained length."""
    return Part(
        **said(recipe.corpus, part),
        effect=rise(arm, name, start),
        region=at_most(recipe.near, why=matters(recipe)),
        unit="nats of loss",
        untrained=untrained(recipe, arm, start or name),
        checks=(sees_a_rise(recipe, evidence, name),),
        corrected=lambda change: f"The loss is {change.estimate:.2g} nats higher at {LONGEST} tokens than at {BLOCK}.",
        note=setting(recipe, name),
    )


def matters(recipe: Recipe) -> str:
    """Why the edge of a rise is where it is."""
    return f"{recipe.near:g} nats make a token {recipe.near:.0%} less likely; a smaller rise does not matter"


def setting(recipe: Recipe, name: str) -> str:
    """The text and the lengths."""
    where = text_title(recipe.corpus) if name.endswith("loss") else "registers"
    return f"On {where}; trained on {BLOCK} tokens, read with {LONGEST}; the loss is that of the same tokens."


def untrained(recipe: Recipe, arm: Arm, name: str) -> tuple[str, ...]:
    """The nets that did not learn the text, or near answers, at the trained length, read as they are compared."""
    if name.endswith("loss"):
        return arm.above(at(name, TRAINED), recipe.text_fit)
    return arm.above(at(f"{name.split()[0]} near", TRAINED), recipe.fit)


def recalls(recipe: Recipe, evidence: Evidence) -> bool:
    """Whether there are nets on registers, and those that the answer compares learned them."""
    arms = [(recalled(evidence, kind), f"{how} near") for kind, how in WAYS]
    return all(arm.results and not untrained(recipe, arm, name) for arm, name in arms)


def sees_a_rise(recipe: Recipe, evidence: Evidence, name: str) -> Check:
    """Positive control: on the same tokens the loss of a table with its last row repeated does rise."""
    kind, arm = ("loss", readers(evidence, "absolute")) if name.endswith("loss") else ("near", recalled(evidence, "absolute"))
    seen = rise(arm, f"clamped {kind}").interval(0.95).low
    return Check("the loss rises where the last row of a table is repeated", passes(seen, lambda low: low > recipe.near))


def without_positions(recipe: Recipe, evidence: Evidence) -> Part:
    """Near answers at the longest length: nets without positions against rotary ones."""
    none, rotary = recalled(evidence, "none"), recalled(evidence, "rotary")
    return Part(
        **said(recipe.corpus, "none, near"),
        effect=difference(none, rotary, at("plain near", LONG), unit="nats"),
        region=falls_below(recipe.near, why=matters(recipe)),
        unit="nats of loss, without positions minus rotary",
        untrained=(*untrained(recipe, none, "plain near"), *untrained(recipe, rotary, "plain near")),
        corrected=lambda gap: (
            f"Without positions the loss is {abs(gap.estimate):.2g} nats {'higher' if gap.estimate > 0 else 'lower'}."
        ),
        note=setting(recipe, "near"),
    )
