"""GCN and GAT on Cora: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from erlangen.experiments.cora_accuracy import Recipe
from erlangen.experiments.cora_accuracy.tasks import Train
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence, difference, mean
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.regions import between, exceeds

NAMES = {"gcn": "GCN", "gat": "GAT"}
ACCURACY = "test_accuracy"

published = partial(published_numbers, "erlangen.experiments.cora_accuracy")
"""Test accuracies from the literature, in percent."""


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Both nets against the published range, and one against the other."""
    arms = {net: evidence.arm(Train, net=net) for net in NAMES}
    parts = [reproduced(recipe, evidence, net) for net in NAMES]
    gap = published()["gat"]["paper"] - published()["gcn"]["paper"]
    parts.append(
        Part(
            claim="CORA",
            part="order",
            of="rival",
            statement="GAT scores higher than GCN on Cora.",
            effect=difference(arms["gat"], arms["gcn"], ACCURACY, unit="%"),
            region=exceeds(why="any lead would support the order that was published"),
            unit="points of test accuracy",
            corrected=lambda gain: f"Here GCN scores {-gain.estimate:.1f} points more.",
            published=gap,
        )
    )
    return decide(parts)


def reproduced(recipe: Recipe, evidence: Evidence, net: str) -> Part:
    """Whether a net's mean lies within `tolerance` of the published range."""
    low, high = published()[net]["range"]
    return Part(
        claim="CORA",
        part=net,
        of="rival",
        statement=f"{NAMES[net]} scores {low} to {high} % on Cora, as published.",
        effect=mean(evidence.arm(Train, net=net), ACCURACY, unit="%"),
        region=between(
            low - recipe.tolerance,
            high + recipe.tolerance,
            why=f"the published range, {recipe.tolerance:g} point wider on each side for the choice of epoch and split of seeds",
        ),
        unit="% test accuracy",
        corrected=lambda score: f"Here it scores {score.estimate:.1f} %.",
        published=published()[net]["paper"],
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """One sentence with both means."""
    means = {net: evidence.arm(Train, net=net).mean(ACCURACY) for net in NAMES}
    said = " and ".join(
        f"{NAMES[net]} scores {interval.estimate:.1f} % (published {published()[net]['paper']} %)"
        for net, interval in means.items()
    )
    return [answer("CORA", verdicts, f"Over {recipe.seeds} seeds {said}.", figure="seeds")]
