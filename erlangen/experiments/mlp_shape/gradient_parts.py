"""The parts of T5 about gradients: those of the weights, which training uses, and the signal that reaches the first layer."""

from __future__ import annotations

from erlangen.experiments.kit.evidence import Arm, Evidence, ratio
from erlangen.experiments.kit.parts import Check, Exact, Part
from erlangen.experiments.mlp_shape import DEEP, WIDE, Recipe
from erlangen.experiments.mlp_shape.evidence import equal_size, nets, untrained
from erlangen.experiments.mlp_shape.net_parts import said
from erlangen.experiments.mlp_shape.tasks import Vanish
from erlangen.statistics.regions import Region, at_least, at_most

HALF = 0.5  # of the wide MLP's ratio: less than that is seen in a plot, and more is not worth a change
NAMES = ("weight_ratio_at_start", "signal_ratio_at_start")


def gradients(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """In training; and before it, from the starts of He and of GPT-2, where the recipe has them."""
    parts = [vanishing(recipe, evidence), signal_in_training(recipe, evidence)]
    if {"wide-he", "deep-he"} <= set(recipe.arms):
        kept = at_least(HALF, center=1.0, why="less than half would be seen")
        parts.append(signal_at_start(recipe, evidence, "he", "signal, start of He", kept))
    if {"wide-gpt2", "deep-gpt2"} <= set(recipe.arms):
        parts.append(signal_at_start(recipe, evidence, "gpt2", "signal, start of GPT-2", magnitude(recipe)))
    return parts


def magnitude(recipe: Recipe) -> Region:
    """Small enough to count as vanished."""
    return at_most(recipe.vanished, why="an order of magnitude; Adam makes up for smaller factors")


def vanishing(recipe: Recipe, evidence: Evidence) -> Part:
    """The ratio of the first weights' gradient to the last's, in the deep MLP over that in the wide one, in training."""
    return in_training(
        recipe, evidence, "vanishing gradients", "weight_ratio_in_training", magnitude(recipe),
        "In training, the gradients of the deep MLP's first weights are not small beside those of its last",
    )  # fmt: skip


def signal_in_training(recipe: Recipe, evidence: Evidence) -> Part:
    """The same of the gradient of the layers' outputs."""
    return in_training(
        recipe, evidence, "signal in training", "signal_ratio_in_training", at_most(HALF, why="more than half would not matter"),
        "In training, as much of the gradient reaches the first layer of the deep MLP",
    )  # fmt: skip


def in_training(recipe: Recipe, evidence: Evidence, part: str, name: str, region: Region, corrected: str) -> Part:
    """A ratio of gradients, first layer over last, deep over wide, each shape at its best rate."""
    deep, wide = nets(recipe, evidence, "deep"), nets(recipe, evidence, "wide")
    return Part(
        **said(recipe, part),
        effect=ratio(deep.arm, wide.arm, name),
        region=region,
        unit="of the wide MLP's ratio of first to last layer",
        untrained=untrained(recipe, deep, wide),
        checks=(equal_size(evidence), vanishing_check(recipe, evidence)),
        corrected=lambda share: f"{corrected}: the ratio of first to last is {share.estimate:.2g} times the wide MLP's.",
        note=f"Geometric mean over five times in training and over blocks. First over last: {first_over_last(deep.arm, name)} in "
        f"{deep.arm.name}, {first_over_last(wide.arm, name)} in {wide.arm.name}.",
    )


def first_over_last(arm: Arm, name: str) -> str:
    """The mean ratio of an arm, in words."""
    return f"{arm.mean(name).estimate:.2g}"


def signal_at_start(recipe: Recipe, evidence: Evidence, start: str, part: str, region: Region) -> Part:
    """The ratio of the signal, first layer over last, deep over wide, before training."""
    deep, wide = (nets(recipe, evidence, f"{shape}-{start}").arm for shape in ("deep", "wide"))
    name = "signal_ratio_at_start"
    return Part(
        **said(recipe, part),
        effect=ratio(deep, wide, name),
        region=region,
        unit="of the wide MLP's ratio of first to last layer",
        checks=(equal_size(evidence), vanishing_check(recipe, evidence)),
        corrected=lambda share: f"It is {share.estimate:.2g} times that of the wide MLP.",
        note=f"Before training. First over last: {first_over_last(deep, name)} and {first_over_last(wide, name)}.",
    )


def vanishing_control(recipe: Recipe, evidence: Evidence) -> Exact:
    """Seeds whose deep sigmoids do not show it in both measures."""
    deep, wide = (evidence.arm(Vanish, depth=depth) for depth in (DEEP, WIDE))
    seeds = sorted(set(deep.results) & set(wide.results))
    unseen = [
        seed
        for seed in seeds
        for name in NAMES
        if not deep.results[seed].value(name) <= recipe.vanished * wide.results[seed].value(name)
    ]
    return Exact(
        **said(recipe, "vanishing is seen", "control"),
        cases=len(NAMES) * len(seeds),
        count=len(unseen),
        missing=(*deep.missing, *wide.missing),
        unit="ratios that do not show it",
        test="gradients of weights and of outputs, before training, from the first weights of PyTorch",
        note=f"First over last: {first_over_last(deep, NAMES[0])} with {DEEP} hidden layers of sigmoids, "
        f"{first_over_last(wide, NAMES[0])} with {WIDE}.",
    )


def vanishing_check(recipe: Recipe, evidence: Evidence) -> Check:
    """Whether that control saw it."""
    counted = vanishing_control(recipe, evidence)
    return Check("gradients of sigmoids are seen to vanish", None if counted.missing or not counted.cases else counted.count == 0)
