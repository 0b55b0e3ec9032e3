"""The sentences of the answers, in measured numbers: each says no more than the parts that were decided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.wording import listed
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import PEAKS
from erlangen.experiments.rotation.evidence import accuracy, arm, last_epoch, peak, right, table, untrained
from erlangen.experiments.rotation.tasks import angles
from erlangen.records.runs import Verdict
from erlangen.statistics.crossed import crossed_interval

UPRIGHT = slice(0, 1)
UNLEARNED = "The nets did not learn their images well enough to be judged."


def curve_sentence(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """How far the accuracy of the plain net falls, and how large its peaks are, with corners and without."""
    plain = arm(evidence, "plain")
    upright, rotated = (accuracy(plain, recipe.epochs, chosen).estimate for chosen in (UPRIGHT, slice(1, None)))
    if untrained(recipe, recipe.epochs, plain) or not math.isfinite(upright):
        return UNLEARNED
    fall = ", but on only" if decided(verdicts, "between", "supported") else ", and on"
    return (
        f"A CNN trained on upright images is right on {upright:.0f} % of them{fall} {rotated:.0f} % once rotated"
        f"{peaks_clause(recipe, evidence, [angle for angle in PEAKS if decided(verdicts, f'peak at {angle}°', 'supported')])}."
    )


def peaks_clause(recipe: Recipe, evidence: Evidence, at: Sequence[int]) -> str:
    """The peaks that stand out, with corners and without: '; at 90° it does 7 points better ... that advantage is 0 points'."""
    if not at:
        return ""
    plain, disk = ([height(recipe, arm(evidence, name), angle) for angle in at] for name in ("plain", "disk"))
    heights = " to ".join(dict.fromkeys(f"{end:.0f}" for end in (min(plain), max(plain))))
    clause = f"; at {listed([f'{angle}°' for angle in at])} it does {heights} points better than at the angles around"
    if not all(map(math.isfinite, disk)) or untrained(recipe, recipe.epochs, arm(evidence, "disk")):
        return clause
    left = listed([str(round(one)) for one in disk])
    return f"{clause}. With all corners hidden, that advantage is {left} points"


def decided(verdicts: Sequence[Verdict], part: str, outcome: str) -> bool:
    """Whether a part was decided so."""
    return any(verdict.part == part and verdict.verdict == outcome for verdict in verdicts)


def height(recipe: Recipe, net: Arm, angle: int) -> float:
    """The mean height of a peak in points; NaN where it was not measured."""
    return crossed_interval(table(lambda result: peak(recipe, right(result, recipe.epochs), angle), net)).estimate


def training_sentence(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """At how many angles training on rotated images helps, and what it leaves upright, after both numbers of epochs."""
    plain, augmented, count = arm(evidence, "plain"), arm(evidence, "augmented"), len(angles(recipe.step))
    before, after = (
        [accuracy(net, recipe.epochs, slice(at, at + 1)).estimate for at in range(count)] for net in (plain, augmented)
    )
    if untrained(recipe, recipe.epochs, plain, augmented) or not math.isfinite(before[0] + after[0]):
        return UNLEARNED
    better = sum(ours > theirs for theirs, ours in zip(before, after, strict=True))
    return (
        f"After {recipe.epochs} epochs, training on rotated images raises the accuracy at {better} of {count} angles and changes "
        f"that on upright images from {before[0]:.0f} % to {after[0]:.0f} %{later_clause(recipe, augmented, verdicts)}."
    )


def later_clause(recipe: Recipe, augmented: Arm, verdicts: Sequence[Verdict]) -> str:
    """What longer training leaves upright, and whether that is a trade-off; '' where no net trained for longer."""
    last = last_epoch(recipe, "augmented")
    if last == recipe.epochs:
        return ""
    later = f"{accuracy(augmented, last, UPRIGHT).estimate:.0f} %"
    if decided(verdicts, "trade-off", "supported"):
        return f"; after {last} epochs it has leveled off at {later}, which makes it a trade-off"
    no = ", so that there is no trade-off" if decided(verdicts, "trade-off", "refuted") else ""
    return f"; after {last} epochs it is {later}{no}"
