"""Padding causes: verdicts, and what each claim comes to in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.padding_causes.map_parts import map_parts
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.experiments.padding_causes.reflect_parts import reflect_parts
from erlangen.experiments.padding_causes.replicate_parts import replicate_parts
from erlangen.experiments.padding_causes.sentences import map_sentence, reflect_sentence, replicate_sentence
from erlangen.experiments.padding_causes.statements import PARTS, QUOTES
from erlangen.records.runs import Answer, Verdict

ANSWERED = {
    "C5": ("sconv 5x5", "sconv 7x7"),
    "C6": ("reflect", "reflect rows", "reflect columns", "fconv"),
    "C7": ("replicate", "replicate rows", "replicate columns", "fconv"),
}
"""The arms that a claim's answer is about."""
FIGURES = {"C5": "causes", "C6": "axes", "C7": "axes"}
NEEDS = {claim: f"the arms {', '.join(arms)} (--preset standard)" for claim, arms in ANSWERED.items()}


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """A verdict for every part that the recipe's arms can show, by claim."""
    return decide([*map_parts(recipe, evidence), *reflect_parts(recipe, evidence), *replicate_parts(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """One sentence for each claim, and the figure that shows it. A claim of which a part was not judged holds partly at best."""
    said = {"C5": map_sentence, "C6": reflect_sentence, "C7": replicate_sentence}
    of_claim = {claim: judged(recipe, verdicts, claim) for claim in said}
    return [
        answer(
            claim, of_claim[claim], sentence(recipe, evidence, verdicts), figure=FIGURES[claim], needs=NEEDS[claim],
            whole=PARTS[claim].keys() & QUOTES.keys() <= {verdict.part for verdict in verdicts},
        )
        for claim, sentence in said.items()
    ]  # fmt: skip


def judged(recipe: Recipe, verdicts: Sequence[Verdict], claim: str) -> list[Verdict]:
    """The verdicts of a claim if the recipe has what its answer is about: what is counted in the images alone answers none."""
    return [verdict for verdict in verdicts if set(ANSWERED[claim]) <= set(recipe.arms) and verdict.claim == claim]
