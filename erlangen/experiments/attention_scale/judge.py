"""The scale of attention: verdicts and the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.attention_scale import Recipe
from erlangen.experiments.attention_scale.evidence import at, corner
from erlangen.experiments.attention_scale.gpt_parts import gpt_parts
from erlangen.experiments.attention_scale.start_parts import start_parts
from erlangen.experiments.attention_scale.statements import NAMES
from erlangen.experiments.attention_scale.tasks import Products, Start
from erlangen.experiments.attention_scale.training_parts import training_parts
from erlangen.experiments.attention_scale.variance_parts import variance_parts
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Products that are drawn, softmax and gradients at the start, training, and the heads of a trained GPT."""
    return decide(
        [
            *variance_parts(recipe, evidence),
            *start_parts(recipe, evidence),
            *training_parts(recipe, evidence),
            *gpt_parts(recipe, evidence),
        ]
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """Variance, entropy and gradients at the widest queries, and what tuned nets reach."""
    sentence = " ".join([start_sentence(recipe, evidence), trained_sentence(recipe, evidence, verdicts)])
    if any(verdict.part == "mean" and verdict.verdict == "refuted" for verdict in verdicts):
        sentence += " The variance is d · σ⁴ only where entries have mean 0, which independence does not imply."
    return [answer("T3", verdicts, sentence, figure="scale")]


def start_sentence(recipe: Recipe, evidence: Evidence) -> str:
    """What the missing scale does before training."""
    drawn, products = evidence.arm(Start), evidence.arm(Products)

    def start(name: str) -> float:
        return drawn.mean(lambda result: at(result, name, -1)).estimate

    def ratio(name: str) -> float:
        scaled = start(f"scaled {name}")
        return start(f"unscaled {name}") / scaled if scaled > 0 else math.nan

    variance = products.mean(lambda result: at(result, "normal 1 0 variance", -1)).estimate
    growth = max(ratio("mean square of queries"), 0.0) ** 0.5
    return (
        f"Without 1/√d, q · k starts with a variance of {variance:.0f} at d = {recipe.widths[-1]}, and the softmax over "
        f"{recipe.keys} keys with an entropy of {start('unscaled entropy'):.2f} nats instead of {start('scaled entropy'):.2f}. "
        f"Whether gradients vanish depends on the measure: compared with scaled scores, that of the queries is {growth:.2g} "
        f"times as large in the root mean square, and that of a typical query's scores is "
        f"{100 * ratio('median of scores'):.2g} % as large."
    )


def trained_sentence(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """What nets reach at their best learning rates with the first optimizer, and whether the start is the cause."""
    found = corner(recipe, evidence, "widest", recipe.optimizers[0])
    without, scaled, matched = (found.mean(arm, "test_loss") for arm in ("unscaled", "scaled", "matched"))
    causes = [verdict.verdict for verdict in verdicts if verdict.part.startswith("cause, ")]
    start = ": the start does the harm" if causes and set(causes) == {"supported"} else ""
    return (
        f"Nets that copy a token (d = {found.width}, {found.keys} keys, {NAMES[found.optimizer]}, tuned) lose {without:.2g} nats "
        f"without the scale and {scaled:.2g} with it; without it they lose {matched:.2g} if their scores start as small as with "
        f"it{start}."
    )
