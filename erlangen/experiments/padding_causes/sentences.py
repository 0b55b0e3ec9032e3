"""Padding causes: what each claim comes to, in one sentence of measured numbers."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.padding_causes.evidence import arm_of, report_arm
from erlangen.experiments.padding_causes.recipe import Recipe


def map_sentence(recipe: Recipe, evidence: Evidence) -> str:
    """C5."""
    small, large = (score(arm_of(recipe, evidence, name)) for name in ("sconv 5x5", "sconv 7x7"))
    return (
        f"What decides is the border, not the size of the map: with the heights swapped a last map of 5×5 cells scores {small} "
        f"where nearly every weight meets every pixel of the boxes, and one of 7×7 cells {large} where some weights never do."
    )


def reflect_sentence(recipe: Recipe, evidence: Evidence) -> str:
    """C6."""
    rows, columns, both = (arm_of(recipe, evidence, f"reflect{axis}") for axis in (" rows", " columns", ""))
    return (
        f"Reflecting the rows alone scores {score(rows)} in the test and the columns alone {score(columns)}, and new images with "
        f"the heights of the training score {score(both, 'unseen_validation_accuracy')}: no pattern is overfitted, the mirrored "
        "rows give the height away."
    )


def replicate_sentence(recipe: Recipe, evidence: Evidence) -> str:
    """C7."""
    rows, columns, zeros = (score(arm_of(recipe, evidence, name)) for name in ("replicate rows", "replicate columns", "fconv"))
    both, none = (score(report_arm(recipe, evidence, name)) for name in ("replicate", "fconv"))
    return (
        f"Replicate scores {both} and fconv {none}, but not because boxes are magnified: replicating the columns alone scores "
        f"{columns}, the rows alone {rows} (fconv as long: {zeros}), because the border then tells the column, or the height."
    )


def score(arm: Arm, quantity: str = "test_accuracy") -> str:
    """'87.8 %'"""
    mean = arm.mean(quantity).estimate
    return f"{mean:.1f} %" if math.isfinite(mean) else "(not measured)"
