"""Receptive field: the parts about what an output does depend on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.kit.evidence import Effect as Measured, Evidence, by_seed, mean
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.receptive_field import CLAIMS
from erlangen.experiments.receptive_field.evidence import arm, learned, slope, taught
from erlangen.experiments.receptive_field.plan import CELLS, DEEP, EASY, MIDDLE, Cell
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.statements import QUOTES
from erlangen.experiments.receptive_field.tasks import Effect
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_least, exceeds, falls_below, within

said = partial(wording, CLAIMS, QUOTES)
LUO = "Luo et al. (2016) derive 1/2, where the theoretical field has 1."
TRAINED = [cell for cell in CELLS if cell.net == "plain" and cell.distance == EASY]


def effective_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Growth with the depth, before and after training; what training does; attention."""
    parts = [growth(recipe, evidence, "plain"), growth(recipe, evidence, "residual"), attention_evenness(recipe, evidence)]
    if EASY in recipe.distances:
        parts.append(trained_growth(recipe, evidence))
    if MIDDLE in recipe.distances:
        parts.append(widening(recipe, evidence))
    return parts


def exponent(depths: Sequence[int], evidence: Evidence, net: str) -> Measured:
    """The exponent of the deviation in the depth, seed by seed."""
    arms = [evidence.arm(Effect, net=net, layers=layers) for layers in depths]
    return by_seed(lambda *results: slope(depths, [result.value("deviation") for result in results]), *arms)


def power_law(recipe: Recipe, evidence: Evidence, net: str) -> Check:
    """Whether the growth has one exponent at all: an early rise and a standstill can average to 1/2. Two depths cannot tell."""
    middle = len(recipe.depths) // 2
    halves = recipe.depths[: middle + 1], recipe.depths[middle:]
    parts = [exponent(depths, evidence, net) for depths in halves if len(recipe.depths) > 2]
    name = "the shallower half of the depths has about the same exponent as the deeper one"
    if not parts or any(part.missing or part.not_finite for part in parts):
        return Check(f"{name}, which takes three depths", None)
    shallow, deep = (part.interval(0.95).estimate for part in parts)
    return Check(f"{name} ({shallow:.2f} and {deep:.2f})", abs(shallow - deep) <= 2 * recipe.exponent)


def growth(recipe: Recipe, evidence: Evidence, net: str) -> Part:
    """The square root that theory has for a plain CNN, and the same with residual connections."""
    return Part(
        **said(*(("effective field", "rival") if net == "plain" else ("effective field, residual", "extension"))),
        effect=exponent(recipe.depths, evidence, net),
        region=within(
            recipe.exponent, around=0.5, why=f"a size that is {off(recipe):.0f} % off at 16 times the depth is another law"
        ),
        unit="exponent of the depth",
        checks=(power_law(recipe, evidence, net),),
        corrected=lambda interval: f"It grows with the depth to the power {interval.estimate:.2f}.",
        note=f"{LUO} Layers: {', '.join(map(str, recipe.depths))}. Size: standard deviation of the squared gradient.",
    )


def off(recipe: Recipe) -> float:
    """Percent by which a size is off at 16 times the depth, where the exponent is off by the edge."""
    return 100 * (float(16**recipe.exponent) - 1)


def trained_growth(recipe: Recipe, evidence: Evidence) -> Part:
    """The exponent after training less that before it, among nets that learned the same distance."""
    pairs, depths = [taught(arm(evidence, cell), recipe.most) for cell in TRAINED], [cell.layers for cell in TRAINED]

    def change(*results: JobResult) -> float:
        after, before = (slope(depths, [size(result, when) for result in results]) for when in ("after", "before"))
        return after - before

    return Part(
        **said("effective field, trained"),
        effect=by_seed(change, *(one for one, _ in pairs), test="t interval over seeds of paired differences"),
        region=falls_below(recipe.exponent, why="the same edge as for the growth before training"),
        unit="exponent of the depth, after less before training",
        untrained=tuple(name for _, names in pairs for name in names),
        corrected="It does not.",
        note=f"Plain CNNs of {', '.join(map(str, depths))} layers that learned {EASY} columns.",
    )


def size(result: JobResult, when: str) -> float:
    """The size of a trained net's field before or after training; NaN where it is not known whether the net has learned."""
    return math.nan if math.isnan(learned(result)) else result.value(f"deviation_{when}")


def widening(recipe: Recipe, evidence: Evidence) -> Part:
    """The ratio of the field's size after training to that before."""
    trained, others = taught(arm(evidence, Cell("plain", DEEP, MIDDLE)), recipe.most)

    def factor(result: JobResult) -> float:
        return size(result, "after") / size(result, "before")

    return Part(
        **said("training widens it", "rival"),
        effect=by_seed(factor, trained),
        region=exceeds(recipe.wider - 1, than=1.0, why=f"by a factor of {recipe.wider:g} at least"),
        unit="size after training / size before",
        untrained=others,
        corrected=lambda interval: f"It changes by a factor of {interval.estimate:.2f}.",
        note="Luo et al. (2016) saw it on CIFAR-10 and on street scenes. Standard deviation along the columns, once learned.",
    )


def attention_evenness(recipe: Recipe, evidence: Evidence) -> Part:
    """Far tokens against near ones in one layer of untrained attention."""
    one, deep = evidence.arm(Effect, net="relative", layers=1), evidence.arm(Effect, net="plain", layers=recipe.depths[-1])
    cnn, own = deep.mean("evenness").estimate, one.mean("own").estimate
    return Part(
        **said("attention, far and near"),
        effect=mean(one, "evenness"),
        region=at_least(recipe.even, center=1.0, why="half as much is still of one order; a CNN's falls by orders of magnitude"),
        unit="squared gradient, outer half / inner half",
        corrected="Far tokens count less.",
        note=f"A plain CNN of {recipe.depths[-1]} layers has {cnn:.2g} by the same measure. The token itself is left out: in "
        f"untrained attention it has {100 * own:.4g} % of the squared gradient, by the residual connection.",
    )
