"""GCN and GAT on Cora: verdicts and the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from erlangen.experiments.cora_accuracy import PUBLISHED, Net, Recipe
from erlangen.experiments.cora_accuracy.tasks import Train
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence, difference, mean
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.regions import between, exceeds

NAMES: dict[Net, str] = {"gcn": "GCN", "gat": "GAT"}
WIDTHS = sorted(PUBLISHED.values(), reverse=True)
ACCURACY = "test_accuracy"

published = partial(published_numbers, "erlangen.experiments.cora_accuracy")
"""Test accuracies from the literature, in percent."""


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Both nets against the published range, one against the other as published, and at equal widths."""
    reproductions = [reproduced(recipe, evidence, net) for net in NAMES]
    equal = [equal_widths(recipe, evidence, width) for width in WIDTHS]
    return decide([*reproductions, order(recipe, evidence), *equal])


def trained(evidence: Evidence, net: Net, width: int) -> Arm:
    """The trainings of a net at a width, by seed."""
    return replace(evidence.arm(Train, net=net, width=width), name=described(net, width))


def untrained(recipe: Recipe, *arms: Arm) -> tuple[str, ...]:
    """The arms whose mean training accuracy falls short of the recipe's fit."""
    means = {arm.name: arm.mean("train_accuracy").estimate for arm in arms}
    return tuple(
        f"{name}: {fit:.3g} % of the training nodes, needs {recipe.fit:g}" for name, fit in means.items() if not fit >= recipe.fit
    )


def reproduced(recipe: Recipe, evidence: Evidence, net: Net) -> Part:
    """Whether a net's mean lies within `tolerance` of the published range."""
    (low, high), arm = published()[net]["range"], trained(evidence, net, PUBLISHED[net])
    return Part(
        claim="CORA",
        part=net,
        of="rival",
        statement=f"{NAMES[net]} scores {low} to {high} % on Cora, as published.",
        effect=mean(arm, ACCURACY, unit="%"),
        region=between(
            low - recipe.tolerance,
            high + recipe.tolerance,
            why=f"the published range, {recipe.tolerance:g} point wider on each side for the choice of epoch and split of seeds",
        ),
        unit="% test accuracy",
        untrained=untrained(recipe, arm),
        corrected=lambda score: f"Here it scores {score.estimate:.1f} %.",
        published=published()[net]["paper"],
        note=parameters(evidence, net, PUBLISHED[net]),
    )


def order(recipe: Recipe, evidence: Evidence) -> Part:
    """Whether GAT leads where each net has its paper's width."""
    gat, gcn = (trained(evidence, net, PUBLISHED[net]) for net in ("gat", "gcn"))
    return Part(
        claim="CORA",
        part="order",
        of="rival",
        statement="GAT scores higher than GCN on Cora, each with its paper's width.",
        effect=difference(gat, gcn, ACCURACY, unit="%"),
        region=exceeds(why="any lead would support the order that was published"),
        unit="points of test accuracy",
        untrained=untrained(recipe, gat, gcn),
        corrected=lambda gap: f"Here GCN scores {-gap.estimate:.1f} points more.",
        published=published()["gat"]["paper"] - published()["gcn"]["paper"],
    )


def equal_widths(recipe: Recipe, evidence: Evidence, width: int) -> Part:
    """Whether GAT leads where both nets have as many hidden features, and so about as many parameters."""
    gat, gcn = (trained(evidence, net, width) for net in ("gat", "gcn"))
    return Part(
        claim="CORA",
        part=f"order, {width} features each",
        of="extension",
        statement=f"With {width} hidden features each, GAT scores higher than GCN on Cora.",
        effect=difference(gat, gcn, ACCURACY, unit="%"),
        region=exceeds(recipe.lead, why=f"a third of the published lead, {recipe.lead:g} points, is the least that matters"),
        unit="points of test accuracy",
        untrained=untrained(recipe, gat, gcn),
        corrected=lambda gap: f"The difference is {gap.estimate:+.2f} points.",
        note=" ".join(filter(None, (parameters(evidence, net, width) for net in NAMES))),
    )


def described(net: Net, width: int) -> str:
    """'GAT, 64 features'"""
    return f"{NAMES[net]}, {width} features"


def parameters(evidence: Evidence, net: Net, width: int) -> str:
    """'GAT, 64 features: 92,373 parameters.'"""
    counts = {value for value in trained(evidence, net, width).values("parameters").values() if math.isfinite(value)}
    return f"{described(net, width)}: {counts.pop():,.0f} parameters." if len(counts) == 1 else ""


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """Both means as published, then the gap at equal widths."""
    means = {net: trained(evidence, net, width).mean(ACCURACY) for net, width in PUBLISHED.items()}
    scores = " and ".join(
        f"{NAMES[net]} scores {interval.estimate:.1f} % (published {published()[net]['paper']} %)"
        for net, interval in means.items()
    )
    sentence = f"Over {recipe.seeds} seeds {scores}."
    arms = {width: (trained(evidence, "gat", width), trained(evidence, "gcn", width)) for width in WIDTHS}
    gaps = {width: difference(*pair, ACCURACY).interval(0.95).estimate for width, pair in arms.items()}
    if all(map(math.isfinite, gaps.values())):
        equal = " and ".join(f"{gap:+.1f} points with {width} features each" for width, gap in gaps.items())
        sentence += f" At equal width the difference between GAT and GCN is {equal}."
    return [answer("CORA", verdicts, sentence, figure="seeds")]
