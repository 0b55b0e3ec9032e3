"""Rotation: verdicts and the answers."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import beyond_the_report
from erlangen.experiments.rotation.curve_parts import curve_parts
from erlangen.experiments.rotation.group_parts import group_parts
from erlangen.experiments.rotation.sentences import curve_sentence, training_sentence
from erlangen.experiments.rotation.training_parts import training_parts
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """The curve and its peaks; then training on rotated images and group convolutions."""
    return decide([*curve_parts(recipe, evidence), *training_parts(recipe, evidence), *group_parts(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """One sentence for each claim."""
    beyond = beyond_the_report(recipe.data)
    return [
        answer("C9", verdicts, curve_sentence(recipe, evidence), "upright", needs="the arm plain", beyond=beyond),
        answer(
            "C10", verdicts, training_sentence(recipe, evidence), "rotated", needs="the arms plain and augmented", beyond=beyond
        ),
    ]
