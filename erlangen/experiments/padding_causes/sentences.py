"""Padding causes: what each claim comes to, in one sentence of measured numbers, as it was decided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.padding_causes.evidence import arm_of, report_arm
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.records.runs import Verdict


def map_sentence(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """C5."""
    small, large = (score(arm_of(recipe, evidence, name)) for name in ("sconv 5x5", "sconv 7x7"))
    cause = "A larger map is not what decides here: with" if decided(verdicts, "sconv 7x7 over 5x5", "refuted") else "With"
    if decided(verdicts, "larger maps", "refuted") and decided(verdicts, "border", "supported"):
        cause = "What decides is the border, not the size of the map: with"
    return (
        f"{cause} the heights swapped a last map of 5×5 cells scores {small} where nearly every weight meets every pixel of the "
        f"boxes, and one of 7×7 cells {large} where some weights never do."
    )


def reflect_sentence(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """C6."""
    rows, columns, both = (arm_of(recipe, evidence, f"reflect{axis}") for axis in (" rows", " columns", ""))
    causes = ["no pattern is overfitted"] if decided(verdicts, "overfit: new images", "refuted") else []
    causes += ["the mirrored rows give the height away"] if decided(verdicts, "height at the border", "supported") else []
    return (
        f"With the heights swapped, reflecting the rows alone scores {score(rows)} and the columns alone {score(columns)}. With "
        f"both reflected, new images at the heights of the training score {score(both, 'unseen_validation_accuracy')}"
        f"{': ' * bool(causes)}{', but '.join(causes)}."
    )


def replicate_sentence(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """C7."""
    rows, columns, zeros = (score(arm_of(recipe, evidence, name)) for name in ("replicate rows", "replicate columns", "fconv"))
    whole = report_arm if recipe.report_seeds else arm_of  # trained for as long as in the report, if any are
    both, none = (score(whole(recipe, evidence, name)) for name in ("replicate", "fconv"))
    lower = any(decided(verdicts, f"magnifies: {axis}", "refuted") for axis in ("rows", "columns"))
    magnified = not lower or decided(verdicts, "replicate > fconv", "refuted")
    link = ". Replicating" if magnified else ", but not because boxes are magnified: replicating"
    told = {"column at the border": "columns tell where a box is", "rows give the height away": "rows give its height away"}
    why = [words for part, words in told.items() if decided(verdicts, part, "supported")]
    return (
        f"Replicate scores {both} and fconv {none}{link} the columns alone scores {columns}, the rows alone {rows} (zeros: "
        f"{zeros}){'; at the border, ' * bool(why)}{', and '.join(why)}."
    )


def decided(verdicts: Sequence[Verdict], part: str, outcome: str) -> bool:
    """Whether a part was decided so."""
    return any(verdict.part == part and verdict.verdict == outcome for verdict in verdicts)


def score(arm: Arm, quantity: str = "test_accuracy") -> str:
    """'87.8 %'"""
    mean = arm.mean(quantity).estimate
    return f"{mean:.1f} %" if math.isfinite(mean) else "(not measured)"
