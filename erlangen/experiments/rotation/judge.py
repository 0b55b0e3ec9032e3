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
    """What each claim comes to. Without longer training nothing says whether the cost is a trade-off, as C10 states."""
    beyond = beyond_the_report(recipe.data)
    curve, training = (sentence(recipe, evidence, verdicts) for sentence in (curve_sentence, training_sentence))
    longer = any(verdict.part == "trade-off" for verdict in verdicts)
    return [
        answer("C9", verdicts, curve, "upright", needs="the arm plain", beyond=beyond),
        answer("C10", verdicts, training, "rotated", whole=longer, needs="the arms plain and augmented", beyond=beyond),
    ]
