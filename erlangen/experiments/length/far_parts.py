"""The parts of T7 about far answers: whether what lies beyond the trained length is used."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Part
from erlangen.experiments.length import Recipe
from erlangen.experiments.length.claims import said
from erlangen.experiments.length.evidence import LONG, TRAINED, at, average, passes, readers, recalled, shown
from erlangen.experiments.length.near_parts import TITLES, matters, setting, untrained
from erlangen.experiments.length.tasks import BLOCK, CHANCE, LONGEST, RELATIVE, TUNED
from erlangen.statistics.regions import Region, exceeds

LEAK = 0.05  # nats below chance that far answers may have at the trained length before their windows count as leaky


def far_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """Whether what lies beyond the trained length is used."""
    parts = [far(recipe, evidence, kind, f"{TITLES[kind]}, far") for kind in RELATIVE]
    return [
        AllOf(
            **said(recipe.corpus, "relative, far"),
            parts=tuple(part.part for part in parts),
            corrected="Not all of them do: see the parts for each kind of positions.",
        ),
        *parts,
        far(recipe, evidence, "rotary", "interpolated and tuned, far", TUNED),
        registers_tell(recipe, evidence),
        far_text(recipe, evidence),
    ]


def far(recipe: Recipe, evidence: Evidence, kind: str, part: str, how: str = "plain") -> Part:
    """How far below chance the loss of far answers falls."""
    arm, name = recalled(evidence, kind), f"{how} far"
    return Part(
        **said(recipe.corpus, part),
        effect=shown(arm, lambda result: CHANCE - at(name, LONG)(result), {f"{LONGEST}": at(name, LONG)}),
        region=known(recipe),
        unit="nats below chance",
        untrained=untrained(recipe, arm, f"{how} near"),
        checks=(*([] if how == TUNED else [reaches(recipe, evidence)]), knows_nothing(arm, name)),
        corrected="It does not: the answers that lie beyond are guessed.",
        note=f"Chance is ln 4 = {CHANCE:.2f} nats, the best that a window of {BLOCK} tokens can do. The loss is higher where a "
        "net is sure of a wrong answer.",
    )


def known(recipe: Recipe) -> Region:
    """Where an answer counts as known."""
    return exceeds(recipe.reach, why=f"{recipe.reach:g} nats of {CHANCE:.2f}: about a third of what there is to know")


def reaches(recipe: Recipe, evidence: Evidence) -> Check:
    """Positive control: a net that was tuned on long texts knows far answers, so they can be known."""
    loss = average(recalled(evidence, "rotary"), at(f"{TUNED} far", LONG))
    return Check("a net that was tuned on long texts knows far answers", passes(loss, lambda loss: CHANCE - loss > recipe.reach))


def knows_nothing(arm: Arm, name: str) -> Check:
    """What makes an answer far: the trained length says nothing about it."""
    loss = average(arm, at(name, TRAINED))
    return Check(f"{BLOCK} tokens say nothing about far answers", passes(loss, lambda loss: loss > CHANCE - LEAK))


def registers_tell(recipe: Recipe, evidence: Evidence) -> Part:
    """Far answers: the rotary net as it is against the same net tuned on long texts."""
    arm = recalled(evidence, "rotary")
    plain, tuned = at("plain far", LONG), at(f"{TUNED} far", LONG)
    return Part(
        **said(recipe.corpus, "registers tell", "control"),
        effect=shown(
            arm, lambda result: plain(result) - tuned(result), {f"as it is, {LONGEST}": plain, f"tuned, {LONGEST}": tuned}
        ),
        region=known(recipe),
        unit="nats of loss",
        untrained=untrained(recipe, arm, "plain near"),
        corrected="They do not tell one from the other.",
    )


def far_text(recipe: Recipe, evidence: Evidence) -> Part:
    """What ALiBi gains on the text, where there is anything to gain: a net tuned on long texts says how much."""
    headroom = average(
        readers(evidence, "rotary"), lambda result: at(f"{TUNED} loss", TRAINED)(result) - at(f"{TUNED} loss", LONG)(result)
    )
    gains = f"A net that was tuned on long texts gains {headroom:.2g} nats. " if math.isfinite(headroom) else ""
    arm, first, last = readers(evidence, "alibi"), at("plain loss", TRAINED), at("plain loss", LONG)
    return Part(
        **said(recipe.corpus, "ALiBi, far, text"),
        effect=shown(arm, lambda result: first(result) - last(result), {f"{BLOCK}": first, f"{LONGEST}": last}),
        region=exceeds(recipe.near, why=matters(recipe)),
        unit="nats of loss",
        untrained=untrained(recipe, arm, "plain loss"),
        checks=(
            Check(
                f"a net that was tuned on long texts gains from them (by more than {recipe.near:g} nats)",
                passes(headroom, lambda gain: gain > recipe.near),
            ),
        ),
        corrected="It gains nothing.",
        note=gains + setting(recipe, "loss"),
    )
