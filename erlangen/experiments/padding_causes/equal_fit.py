"""Padding causes: replicate and fconv padding at the same validation accuracy."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Evidence, by_seed, group
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.padding_causes.evidence import report_arm, said, untrained
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_most


def equal_fit(recipe: Recipe, evidence: Evidence) -> Part:
    """What is left of the lead where both fit alike. fconv cannot be trained to replicate's fit, so replicate is stopped."""
    replicate, fconv = (report_arm(recipe, evidence, name) for name in ("replicate", "fconv"))
    return Part(
        **said("equal fit"),
        effect=by_seed(lead, replicate, fconv, groups=[group(arm, "test_accuracy", "%") for arm in (replicate, fconv)]),
        region=at_most(0.0, why="any lead would count, as it does for the trained nets"),
        unit="points of test accuracy, paired by seed",
        untrained=untrained(recipe, replicate, fconv),
        corrected=lambda gain: f"It then scores {gain.estimate:.1f} points more.",
        note="Replicate is tested after the epoch whose validation accuracy is nearest to that of the fconv net of its seed.",
    )


def lead(replicate: JobResult, fconv: JobResult) -> float:
    """Test accuracy of replicate, when it fits as well as fconv, minus that of fconv; NaN where no epoch was measured."""
    fit = fconv.value("validation_accuracy")
    epochs = list(zip(replicate.values("validation_accuracy_by_epoch"), replicate.values("test_accuracy_by_epoch"), strict=False))
    if not epochs or not math.isfinite(fit):
        return math.nan
    _, test = min(epochs, key=lambda epoch: abs(epoch[0] - fit))
    return test - fconv.value("test_accuracy")
