"""Word order: verdicts and the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.texts import beyond_the_report
from erlangen.experiments.kit.wording import listed
from erlangen.experiments.word_order.ability_parts import any_task, bounds_reached, measured_rows, rows
from erlangen.experiments.word_order.bounds import bound
from erlangen.experiments.word_order.evidence import on_puzzle
from erlangen.experiments.word_order.reading_parts import (
    BAGS,
    any_order,
    apart_sentences,
    learns_order,
    position_leak,
    same_sentences,
)
from erlangen.experiments.word_order.recipe import DEPTHS, Recipe
from erlangen.experiments.word_order.statements import ARMS, DEEPER, TITLES
from erlangen.experiments.word_order.tasks import PuzzleName, Sentences
from erlangen.records.runs import Answer, Verdict

DOES: dict[PuzzleName, str] = {"marks": "say which of two marks came first", "reverse": "reverse tokens"}


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """The two sentences, texts in another order, every task; then the controls."""
    trained = [arm for arm in ARMS if measured_rows(recipe, arm)]
    return decide(
        [
            *(same_sentences(evidence, arm) for arm in BAGS),
            *(apart_sentences(recipe, evidence, arm) for arm in DEEPER),
            *(any_order(evidence, arm) for arm in BAGS),
            *(learns_order(evidence, arm) for arm in DEEPER),
            *(any_task(recipe, arm) for arm in trained),
            *rows(recipe, evidence),
            position_leak(evidence),
            *bounds_reached(recipe, evidence),
        ]
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """To which nets the two sentences are one bag of words, how they are told apart, and what is made of the puzzles."""
    one, two = (right_sentence(evidence, depth) for depth in (1, 2))
    sentence = (
        f"{bags(verdicts)}Trained to tell them apart, one causal layer gives the right sentence a probability of {one}, and two "
        f"layers {two}.{puzzles(evidence)}"
    )
    return [answer("T6", verdicts, sentence, figure="sentences", beyond=beyond_the_report(recipe.corpus))]


def bags(verdicts: Sequence[Verdict]) -> str:
    """'Without positions the report's two sentences are one bag of words to an encoder. Not so to ...', as was decided."""
    outcome = {verdict.part: verdict.verdict for verdict in verdicts}
    alike, different = (
        [title for arm, title in TITLES.items() if outcome.get(f"two sentences, {arm}") == decided]
        for decided in ("supported", "refuted")
    )
    told = [f"are one bag of words to {listed(alike)}"] if alike else []
    told += [f"are two different inputs to {listed(different)}"] if different else []
    return f"Without positions the report's two sentences {', and '.join(told)}. " if told else ""


def right_sentence(evidence: Evidence, depth: int) -> str:
    """'99.8 %': the probability of the sentence that was read, the mean of the two, without positions."""
    arm = evidence.arm(Sentences, net="causal", depth=depth, positions="none")
    first, second = (arm.mean(f"{name}_taken_for_first").estimate for name in ("first", "second"))
    return f"{50 * (first + 1 - second):.1f} %"


def puzzles(evidence: Evidence) -> str:
    """' Without positions, 1, 2 and 6 causal layers say which ... in 49.4, 100.0 and 100.0 % (50.0 % without order), and ...'."""
    means = {puzzle: puzzle_means(evidence, puzzle) for puzzle in DOES}
    known = {puzzle: rates for puzzle, rates in means.items() if rates}
    depths = [depth for depth in DEPTHS if all(depth in rates for rates in known.values())]
    if not known or not depths:
        return ""
    done = [
        f"{does} in {listed([f'{known[puzzle][depth]:.1f}' for depth in depths])} % (at best {bound(puzzle):.1f} % without order)"
        for puzzle, does in DOES.items()
        if puzzle in known
    ]
    layers = "layer" if depths == [1] else "layers"
    return f" Without positions, {listed([str(depth) for depth in depths])} causal {layers} {', and '.join(done)}."


def puzzle_means(evidence: Evidence, puzzle: PuzzleName) -> dict[int, float]:
    """Mean accuracies in percent by depth, of causal nets without positions; those that were measured."""
    means = {depth: on_puzzle(evidence, puzzle, "causal", depth, "none").arm.mean("test_accuracy").estimate for depth in DEPTHS}
    return {depth: mean for depth, mean in means.items() if math.isfinite(mean)}
