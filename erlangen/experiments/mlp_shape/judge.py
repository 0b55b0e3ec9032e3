"""The shape of the MLP: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.texts import beyond_the_report, text_title
from erlangen.experiments.mlp_shape import DEEP, WIDE, Recipe
from erlangen.experiments.mlp_shape.evidence import nets
from erlangen.experiments.mlp_shape.gradient_parts import gradients, vanishing_control
from erlangen.experiments.mlp_shape.net_parts import instability, losses
from erlangen.experiments.mlp_shape.speed_parts import equal_sizes, speed, speeds
from erlangen.experiments.mlp_shape.tasks import inner_width
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Losses, gradients, stability and speed, and the controls of each."""
    counted = [vanishing_control(recipe, evidence), equal_sizes(recipe, evidence)]
    return decide(
        [
            *losses(recipe, evidence),
            *gradients(recipe, evidence),
            *instability(recipe, evidence),
            *speeds(recipe, evidence),
            *counted,
        ]
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What each of the three sentences comes to, in numbers."""
    wide, deep = (nets(recipe, evidence, arm).arm for arm in ("wide", "deep"))
    losses = [arm.mean("test_loss").estimate for arm in (wide, deep)]
    ratios = [arm.mean("weight_ratio_in_training").estimate for arm in (wide, deep)]
    threads = recipe.threads[0]
    gain = speed(recipe, evidence, "speed, 1 thread", threads, recipe.width).effect.interval(0.95).estimate
    sentence = (
        f"At equal parameters, on {text_title(recipe.corpus)}, the loss is {losses[0]:.3f} nats per character with {WIDE} hidden "
        f"layer of {inner_width(recipe.width, WIDE)} and {losses[1]:.3f} with {DEEP} of {inner_width(recipe.width, DEEP)}. In "
        f"training, the first layer's weight gradient is {ratios[0]:.2f} of the last layer's in the wide MLP and "
        f"{ratios[1]:.2f} in the deep one. On {threads} thread{'s' * (threads > 1)}, the wide net trains {gain:.2f} times as "
        "fast as the deep one."
    )
    return [answer("T5", verdicts, sentence, figure="losses", beyond=beyond_the_report(recipe.corpus))]
