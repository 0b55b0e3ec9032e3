"""Padding causes: replicate and fconv padding at the same validation accuracy."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed, group
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.padding_causes.evidence import PAIRED, report_arm, said, untrained
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.experiments.padding_causes.shared_images import difference_over_images
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_most

ALIKE = 2.0  # points of validation accuracy, on average over the seeds: less than half of the lead that is to be explained


def equal_fit(recipe: Recipe, evidence: Evidence) -> Part:
    """What is left of the lead where both fit alike. fconv cannot be trained to replicate's fit, so replicate is stopped."""
    replicate, fconv = (report_arm(recipe, evidence, name) for name in ("replicate", "fconv"))
    return Part(
        **said("equal fit"),
        effect=led(replicate, fconv, recipe.test),
        region=at_most(0.0, why="any lead would count, as it does for the trained nets"),
        unit="points of test accuracy, paired by seed",
        untrained=untrained(recipe, replicate, fconv),
        checks=(fit_alike(replicate, fconv),),
        corrected=lambda gain: f"It then scores {gain.estimate:.1f} points more.",
        note="Replicate is tested after the epoch whose validation accuracy is nearest to that of the fconv net of its seed.",
    )


def led(replicate: Arm, fconv: Arm, images: int) -> Effect:
    """The mean lead of replicate at the fit of the fconv net of its seed."""
    seeds = sorted(replicate.results.keys() & fconv.results.keys())
    ours = [nearest(replicate.results[seed], fconv.results[seed])[1] for seed in seeds]
    theirs = [fconv.results[seed].value("test_accuracy") for seed in seeds]
    groups = [group(arm, "test_accuracy", "%") for arm in (replicate, fconv)]
    effect = by_seed(lead, replicate, fconv, groups=groups, test=PAIRED)
    return replace(effect, interval=lambda level: difference_over_images(ours, theirs, images, level))


def lead(replicate: JobResult, fconv: JobResult) -> float:
    """Test accuracy of replicate, when it fits as well as fconv, minus that of fconv; NaN where no epoch was measured."""
    return nearest(replicate, fconv)[1] - fconv.value("test_accuracy")


def nearest(replicate: JobResult, fconv: JobResult) -> tuple[float, float]:
    """Validation and test accuracy of replicate after the epoch whose validation accuracy is nearest to fconv's; NaN without."""
    fit = fconv.value("validation_accuracy")
    epochs = list(zip(replicate.values("validation_accuracy_by_epoch"), replicate.values("test_accuracy_by_epoch"), strict=False))
    if not epochs or not math.isfinite(fit):
        return math.nan, math.nan
    validation, test = min(epochs, key=lambda epoch: abs(epoch[0] - fit))
    return validation, test


def fit_alike(replicate: Arm, fconv: Arm) -> Check:
    """Whether some epoch of replicate fits about as well as fconv: a curve that leaps past it has none."""
    seeds = replicate.results.keys() & fconv.results.keys()
    pairs = [(replicate.results[seed], fconv.results[seed]) for seed in seeds]
    off = [abs(nearest(ours, theirs)[0] - theirs.value("validation_accuracy")) for ours, theirs in pairs]
    known = bool(off) and all(map(math.isfinite, off))
    how = f", which differ by {fmean(off):.1f} points on average" if known else ""
    name = f"replicate has epochs with fconv's validation accuracy, within {ALIKE:g} points{how}"
    return Check(name, fmean(off) <= ALIKE if known else None)
