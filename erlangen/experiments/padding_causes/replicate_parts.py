"""Padding causes: the parts of C7, on replication."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence, difference
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.experiments.padding_causes.counts import copy_count, copy_jobs, same_logits
from erlangen.experiments.padding_causes.equal_fit import equal_fit
from erlangen.experiments.padding_causes.evidence import POINTS, gained, moved, pair_of, report_arm, said, untrained
from erlangen.experiments.padding_causes.map_parts import all_of
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.experiments.padding_causes.tasks import Cause
from erlangen.statistics.regions import exceeds

MAGNIFIED = {
    "magnifies: rows": ("replicate rows", "fconv"),
    "magnifies: columns": ("replicate columns", "fconv"),
    "magnifies: more": ("replicate x2", "replicate"),
}
"""Part -> the arm in which more is magnified, and the other."""
READS = {
    "column at the border": ("replicate columns", "column_r2", "the red box's column"),
    "rows give the height away": ("replicate rows", "place_r2", "the height"),
}
"""Part -> an arm, what is read from it and from fconv, and that in words."""
ANY_LEAD = "the report explains a lead of 5 points, so that any lead counts"


def replicate_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """C7: the parts for which the recipe has arms."""
    has = set(recipe.arms).issuperset
    reported = recipe.report_seeds > 0 and has({"replicate", "fconv"})
    parts: list[AnyPart] = [higher(recipe, evidence)] if reported else []
    parts += all_of("magnifies", [magnified(recipe, evidence, part) for part, arms in MAGNIFIED.items() if has(arms)])
    parts.append(reordering(evidence))
    parts += [reads(recipe, evidence, part) for part, (name, *_) in READS.items() if has({name, "fconv"})]
    parts += [far_boxes(recipe, evidence)] if has({"replicate columns", "fconv"}) else []
    parts += [equal_fit(recipe, evidence)] if reported else []
    return [*parts, away(evidence)] if has({"replicate"}) else parts


def higher(recipe: Recipe, evidence: Evidence) -> Part:
    """The order that the report states."""
    arms = (report_arm(recipe, evidence, "replicate"), report_arm(recipe, evidence, "fconv"))
    return Part(
        **said("replicate > fconv"),
        effect=gained(*arms, "test_accuracy", recipe.test),
        region=exceeds(why="the report states an order: any lead supports it"),
        unit=f"{POINTS}, {recipe.report_epochs} epochs",
        untrained=untrained(recipe, *arms),
        corrected=lambda gain: f"It scores {-gain.estimate:.1f} points less.",
    )


def magnified(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """One way to magnify more."""
    arms = pair_of(recipe, evidence, *MAGNIFIED[part])
    return Part(
        **said(part),
        effect=gained(*arms, "test_accuracy", recipe.test),
        region=exceeds(why=ANY_LEAD),
        unit=POINTS,
        untrained=untrained(recipe, *arms),
        corrected=moved,
        note=fits(*arms),
    )


def fits(*arms: Arm) -> str:
    """What the arms score in validation."""
    means = {arm.name: arm.mean("validation_accuracy").estimate for arm in arms}
    known = [f"{name} {mean:.1f} %" for name, mean in means.items() if math.isfinite(mean)]
    return f"In validation: {', '.join(known)}." if known else ""


def reordering(evidence: Evidence) -> Exact:
    """Whether the leftmost box changes its color."""
    larger, images = copy_count(evidence, "replicate_larger"), copy_count(evidence, "images")
    high = copy_count(evidence, "replicate_rows_images")
    wrapped = copy_count(evidence, "circular_reordered")
    note = f"It enlarges a box in {larger:.0f} of {images:.0f} images; in height in {high:.0f}." if math.isfinite(larger) else ""
    return Exact(
        **said("without reordering"),
        cases=images if math.isfinite(images) else 0,
        count=copy_count(evidence, "replicate_reordered"),
        unit="images whose leftmost color changes",
        missing=copy_jobs(evidence),
        checks=(Check("circular padding is seen to reorder boxes", wrapped > 0 if math.isfinite(wrapped) else None),),
        corrected="In some images it does.",
        note=note,
    )


def reads(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """What one axis of replication makes readable."""
    name, quantity, what = READS[part]
    arms = pair_of(recipe, evidence, name, "fconv")
    return Part(
        **said(part),
        effect=difference(*arms, quantity),
        region=exceeds(recipe.reads, why=f"{recipe.reads:g} of the variance of {what}"),
        unit=f"R² of {what}, paired by seed",
        untrained=untrained(recipe, *arms),
        corrected=lambda gain: f"R² differs by {gain.estimate:+.2f}.",
    )


def far_boxes(recipe: Recipe, evidence: Evidence) -> Part:
    """Boxes so far apart that their order can be read from the border alone."""
    arms = pair_of(recipe, evidence, "replicate columns", "fconv")
    return Part(
        **said("far boxes"),
        effect=gained(*arms, "far_accuracy", far_images(recipe, *arms)),
        region=exceeds(recipe.far, why="twice the lead that the report explains"),
        unit="points of accuracy on new images with the heights swapped, paired by seed",
        untrained=untrained(recipe, *arms),
        corrected=lambda gain: f"It changes it by {gain.estimate:.1f} points.",
    )


def far_images(recipe: Recipe, *arms: Arm) -> float:
    """How many of the new test images have far boxes: where two accuracies differ, that on all images says how many have which.

    NaN where they differ in no net.
    """
    results = [result for arm in arms for result in arm.results.values()]
    shares = [[result.value(f"{name}_accuracy") for name in ("unseen_test", "near", "far")] for result in results]
    known = [share for share in shares if all(map(math.isfinite, share)) and abs(share[2] - share[1]) > 1]
    if not known:
        return math.nan
    whole, near, far = max(known, key=lambda share: abs(share[2] - share[1]))
    return min(max(round(recipe.test * (whole - near) / (far - near)), 1), recipe.test)


def away(evidence: Evidence) -> Exact:
    """The exact control of replication."""
    results = evidence.of(Cause, arm="replicate")
    lacking = evidence.arm(Cause, arm="replicate", curve=False).missing
    return same_logits("zeros away from the border", results, results, lacking)
