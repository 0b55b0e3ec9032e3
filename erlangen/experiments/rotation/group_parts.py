"""C10: nets of group convolutions beside the pooled net, at equal compute and at equal parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import words
from erlangen.experiments.rotation.evidence import arm, last_epoch, over_both, right, untrained
from erlangen.experiments.rotation.tasks import ARMS
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import exceeds

ROUNDING = 1e-10  # of the logits' spread in float64
SEEN = 0.01  # of the logits' spread: a net without the symmetry changes by more
ALIKE = 0.05  # the largest relative difference of what is held equal


def group_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """One part for each net of group convolutions that the recipe has beside the pooled net, and their exactness."""
    groups = [name for name in recipe.arms if ARMS[name].net in ("C4", "C8")]
    others = [arm(evidence, name) for name in recipe.arms if name not in groups]
    parts: list[AnyPart] = [group_part(recipe, evidence, name) for name in groups if "pooled" in recipe.arms]
    return [*parts, *([quarter_turns([arm(evidence, name) for name in groups], others)] if groups else [])]


def group_part(recipe: Recipe, evidence: Evidence, name: str) -> Part:
    """A net of group convolutions against the plain net with the same head, both trained on upright images."""
    pooled, group, match = arm(evidence, "pooled"), arm(evidence, name), ARMS[name].match
    epochs = min(last_epoch(recipe, net) for net in (name, "pooled"))  # equal compute takes equally many

    def gain(theirs: JobResult, ours: JobResult) -> np.ndarray:
        difference: np.ndarray = (right(ours, epochs) - right(theirs, epochs)).mean(0)
        return difference

    return Part(
        **words(f"{ARMS[name].net}, equal {match}"),
        effect=over_both(gain, pooled, group),
        region=exceeds(recipe.gain, why=f"better by more than {recipe.gain:g} points"),
        unit="points", bounds=(-100, 100), untrained=untrained(recipe, epochs, pooled, group),
        checks=(equal(match, pooled, group), inside_grid(recipe, pooled, group)), note=f"After {epochs} epochs.",
    )  # fmt: skip


def equal(match: str, pooled: Arm, group: Arm) -> Check:
    """Whether the two nets have as many multiply-adds, or parameters: within 5 %."""
    name = {"compute": "multiply-adds", "parameters": "parameters"}[match]
    ratio = group.mean(name).estimate / pooled.mean(name).estimate
    return Check(f"equal {name} (a ratio of {ratio:.3f})", None if math.isnan(ratio) else abs(ratio - 1) < ALIKE)


def inside_grid(recipe: Recipe, *nets: Arm) -> Check:
    """Whether the nets' learning rates lie between others that were tried and did no better."""
    chosen = {net.name: set(net.values("rate").values()) for net in nets}
    known = all(rates and all(map(math.isfinite, rates)) for rates in chosen.values())
    ends = {recipe.rates[0], recipe.rates[-1]}
    outer = [f"{name} at {rate:g}" for name, rates in chosen.items() for rate in sorted(rates & ends)]
    of = f" ({'; '.join(outer)} is an outermost one)" if outer else ""
    return Check(f"the best learning rate lies between others that were tried{of}", not outer if known else None)


def quarter_turns(groups: Sequence[Arm], others: Sequence[Arm]) -> Exact:
    """How many nets of group convolutions are not invariant under quarter turns, beside nets that should not be."""
    errors = [error for net in groups for error in net.values("quarter turn error").values()]
    blind = [error for net in others for error in net.values("quarter turn error").values()]
    seen = bool(blind) and min(blind) > SEEN
    return Exact(
        **words("quarter turns"),
        cases=len(errors), count=float(sum(error > ROUNDING if math.isfinite(error) else math.nan for error in errors)),
        unit="nets", missing=tuple(label for net in groups for label in net.missing),
        test=f"largest change of a logit under three turns, over the logits' spread, in float64: above {ROUNDING:g}",
        checks=(Check(f"the same measure sees ordinary nets change, by more than {SEEN:g}", seen),),
    )  # fmt: skip
