"""The scale of attention: the parts about nets that learn to copy."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.attention_scale import CLAIMS, QUOTES, Recipe
from erlangen.experiments.attention_scale.evidence import Nets, corner, loss_up_to_chance
from erlangen.experiments.attention_scale.statements import CORNERS, NAMES
from erlangen.experiments.kit.evidence import Evidence, difference
from erlangen.experiments.kit.parts import AllOf, Check, Part
from erlangen.experiments.kit.tuning import tuning_check
from erlangen.experiments.kit.wording import wording
from erlangen.statistics.regions import exceeds, within

said = partial(wording, CLAIMS, QUOTES)

NEAR = 0.25  # relative: how far the variance of the scores at the start may be from what the arm should have
SMALLER = "a smaller difference of two losses does not matter"


def training_parts(recipe: Recipe, evidence: Evidence) -> list[Part | AllOf]:
    """How robust training is to the learning rate, what it reaches at the best one, and whether the start is the cause."""
    corners = {name: [corner(recipe, evidence, name, optimizer) for optimizer in recipe.optimizers] for name in CORNERS}
    widest = corners["widest"]
    rows = [instability(recipe, found, "unscaled") for found in widest]
    everywhere = AllOf(
        **said("instability"),
        parts=tuple(row.part for row in rows),
        corrected="Training is as stable without the scale.",
        note="Holds only if it does with each optimizer. Training counts as less stable if it goes wrong at more learning rates: "
        "the loss is averaged over the same rates for both, and a net that diverged counts as guessing. This is the sensitivity "
        "to the learning rate of Wortsman et al. (2023), taken from the least loss that the task allows, which is 0.",
    )
    losses = [loss(recipe, name, found) for name, row in corners.items() for found in row]
    others = [part for found in widest for part in (jumps(recipe, found), instability(recipe, found, "matched"))]
    return [everywhere, *rows, *others, *losses, *(cause(recipe, found) for found in widest)]


def instability(recipe: Recipe, found: Nets, arm: str) -> Part:
    """The loss averaged over the grid of learning rates, at most that of guessing: an arm without the scale minus with it."""
    without, scaled = (found.over_rates(name, loss_up_to_chance) for name in (arm, "scaled"))
    rates = len(recipe.rates(found.optimizer))
    start = " from the same start" if arm == "matched" else ""
    return Part(
        **said(f"instability{start}, {NAMES[found.optimizer]}"),
        effect=difference(without, scaled, "over_rates", unit="nats"),
        region=exceeds(math.log(recipe.vocabulary) / rates, why=f"as if one more of the {rates} rates failed altogether"),
        unit="nats, averaged over learning rates",
        untrained=found.best["scaled"].arm.above("test_loss", recipe.learned),
        checks=(starts(found),),
        corrected="The loss averaged over learning rates is hardly higher.",
        note=found.setting(),
    )


def jumps(recipe: Recipe, found: Nets) -> Part:
    """How high the training loss rises above an earlier one, at the best learning rate of each arm."""
    without, scaled = found.best["unscaled"], found.best["scaled"]
    rises = [found.mean(arm, "largest_rise") for arm in ("unscaled", "scaled")]
    weight = found.mean("unscaled", "end_weight")
    return Part(
        **said(f"jumps, {NAMES[found.optimizer]}"),
        effect=difference(without.arm, scaled.arm, "largest_rise", unit="nats"),
        region=exceeds(recipe.jump, why="about a tenth of the loss of guessing; smaller jumps are noise between batches"),
        unit="nats, the largest rise of the training loss",
        untrained=scaled.arm.above("test_loss", recipe.learned),
        checks=(tuning_check(without, scaled), starts(found)),
        corrected=f"It rises by {rises[0]:.2f} nats at most, with the scale by {rises[1]:.2f}: without the scale the net does "
        f"not explode; in the end {weight:.0%} of its attention is on the token to copy.",
        note=found.setting(),
    )


def loss(recipe: Recipe, name: str, found: Nets) -> Part:
    """What the missing scale costs at the best learning rate of each arm."""
    without, scaled = found.best["unscaled"], found.best["scaled"]
    return Part(
        **said(f"loss, {name}, {NAMES[found.optimizer]}"),
        effect=difference(without.arm, scaled.arm, "test_loss", unit="nats"),
        region=exceeds(recipe.margin, why=SMALLER),
        unit="nats",
        untrained=scaled.arm.above("test_loss", recipe.learned),
        checks=(tuning_check(without, scaled), starts(found)),
        corrected=lambda gap: f"There the best learning rate makes up for the missing scale: {gap.estimate:.3f} nats are left.",
        note=f"{found.setting()} Best learning rates: {without.rate:g} without the scale, {scaled.rate:g} with it.",
    )


def cause(recipe: Recipe, found: Nets) -> Part:
    """Is the start the cause? The matched arm has no scale, but starts as the scaled one; the unscaled arm is the control."""
    scaled, without, matched = (found.best[arm] for arm in ("scaled", "unscaled", "matched"))
    gap = difference(without.arm, scaled.arm, "test_loss").interval(0.95).estimate
    differs = Check("the nets without the scale that start apart end apart", None if math.isnan(gap) else gap > recipe.margin)
    return Part(
        **said(f"cause, {NAMES[found.optimizer]}"),
        effect=difference(matched.arm, scaled.arm, "test_loss", unit="nats"),
        region=within(recipe.margin, why=SMALLER),
        unit="nats",
        untrained=scaled.arm.above("test_loss", recipe.learned),
        checks=(tuning_check(matched, scaled), starts(found), differs),
        corrected="Starting alike is not enough.",
        note=f"{found.setting()} Its queries and keys start d^(1/4) times smaller, so that all scores are those of the scaled "
        f"net. Best learning rates: {matched.rate:g} without the scale, {scaled.rate:g} with it.",
    )


def starts(found: Nets) -> Check:
    """Manipulation check: before training, scores have variance d in the unscaled arm and 1 in the two others."""
    expected = {"scaled": 1.0, "unscaled": float(found.width), "matched": 1.0}
    measured = {arm: found.mean(arm, "start_variance") for arm in expected}
    passed = all(abs(measured[arm] / expected[arm] - 1) <= NEAR for arm in expected)
    unknown = any(map(math.isnan, measured.values()))
    return Check("scores start with variance 1 or d, as each arm should", None if unknown else passed)
