"""The scale of attention: the parts about softmax and gradients before any training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from erlangen.experiments.attention_scale import CLAIMS, QUOTES, Recipe
from erlangen.experiments.attention_scale.evidence import at
from erlangen.experiments.attention_scale.tasks import Start
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_least, at_most, within

said = partial(wording, CLAIMS, QUOTES)

HALF = "half of ln(keys) is the entropy of √keys keys alike"
CLOSED_FORM = 0.1  # relative difference from the closed form; few queries carry most of the gradient, so it varies between draws


def start_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Entropy without the scale and with it, the gradient on average and of a typical query, and its closed form."""
    arm = evidence.arm(Start)
    return [
        saturation(recipe, arm),
        no_saturation(recipe, arm),
        gradients(recipe, arm),
        typical_gradient(recipe, arm),
        closed_form(recipe, arm),
    ]


def drawn(value: Callable[[JobResult], float], arm: Arm) -> Effect:
    """The mean over draws."""
    return replace(by_seed(value, arm, test="t interval over draws"), per="draw")


def entropy_share(recipe: Recipe, name: str, choose: Callable[..., float]) -> Callable[[JobResult], float]:
    """The largest or smallest entropy over widths, in percent of ln(keys)."""

    def share(result: JobResult) -> float:
        values = [at(result, f"{name} entropy", place) for place in range(len(recipe.widths))]
        return 100 * choose(values) / math.log(recipe.keys) if all(map(math.isfinite, values)) else math.nan

    return share


def saturation(recipe: Recipe, arm: Arm) -> Part:
    """The largest entropy that any width has without the scale."""
    least = arm.mean(entropy_share(recipe, "scaled", min)).estimate
    bound = 100 * recipe.saturated
    return Part(
        **said("saturation"),
        effect=drawn(entropy_share(recipe, "unscaled", max), arm),
        region=at_most(bound, why=HALF),
        unit="% of ln(keys), the largest over widths",
        checks=(Check("with the scale the softmax is not saturated", None if math.isnan(least) else least > bound),),
        corrected="At some width it is not saturated.",
        note=f"{recipe.keys} keys; entries from N(0, 1). At d = {recipe.widths[-1]} the entropy is "
        f"{arm.mean(lambda result: at(result, 'unscaled entropy', -1)).estimate:.2f} nats without the scale and "
        f"{arm.mean(lambda result: at(result, 'scaled entropy', -1)).estimate:.2f} with it; uniform attention has "
        f"{math.log(recipe.keys):.2f}. Scores of variance 1 give ln(keys) - 1/2 where keys are many: "
        f"{math.log(recipe.keys) - 0.5:.2f}.",
    )


def no_saturation(recipe: Recipe, arm: Arm) -> Part:
    """The smallest entropy that any width has with the scale."""
    most = arm.mean(entropy_share(recipe, "unscaled", max)).estimate
    bound = 100 * recipe.saturated
    return Part(
        **said("no saturation"),
        effect=drawn(entropy_share(recipe, "scaled", min), arm),
        region=at_least(bound, why=HALF),
        unit="% of ln(keys), the smallest over widths",
        checks=(Check("without the scale the softmax is saturated", None if math.isnan(most) else most < bound),),
    )


def log_ratio(name: str) -> Callable[[JobResult], float]:
    """ln(without / with the scale) of a statistic at the widest queries; NaN where one is not positive."""

    def value(result: JobResult) -> float:
        without, scaled = (at(result, f"{arm} {name}", -1) for arm in ("unscaled", "scaled"))
        return math.log(without / scaled) if without > 0 and scaled > 0 else math.nan

    return value


def gradients(recipe: Recipe, arm: Arm) -> Part:
    """The root mean square of dL/dQ without the scale over that with it: the primary statistic."""
    half = 100 * arm.mean(lambda result: at(result, "unscaled half", -1)).estimate
    small = 100 * arm.mean(lambda result: at(result, "unscaled small", -1)).estimate
    scores = math.exp(arm.mean(log_ratio("mean square of scores")).estimate / 2)
    return Part(
        **said("gradients"),
        effect=drawn(lambda result: log_ratio("mean square of queries")(result) / 2, arm).exp(),
        region=at_most(recipe.vanished, why="a gradient that is not even halved has not vanished"),
        unit="times the gradient with the scale",
        bounds=(0.0, math.inf),
        checks=(seen(recipe, arm),),
        corrected=lambda ratio: (
            f"At d = {recipe.widths[-1]} the root mean square gradient of the queries is {ratio.estimate:.3g} times as large "
            f"without the scale, but half of its square belongs to {half:.2g} % of the queries."
        ),
        note="Root mean square over queries of |dL/dQ|, because an update of the weights adds up the gradients of all queries. "
        f"{small:.0f} % of the queries receive less than a thousandth of what they receive with the scale. The gradient that "
        f"arrives at the output is the same in both. Through the softmax alone, |dL/dS|, it is {scores:.2g} times as large.",
    )


def seen(recipe: Recipe, arm: Arm) -> Check:
    """Positive control: the same draws show a gradient that vanishes where it does, that of the typical query's scores."""
    typical = math.exp(arm.mean(log_ratio("median of scores")).estimate)
    name = "a gradient that vanishes is noticed: that of the typical query's scores"
    return Check(name, None if math.isnan(typical) else typical < recipe.vanished)


def typical_gradient(recipe: Recipe, arm: Arm) -> Part:
    """The median over queries of |dL/dS|: how much gradient gets through the softmax of a typical query."""
    queries = math.exp(arm.mean(log_ratio("median of queries")).estimate)
    return Part(
        **said("typical gradient", "rival"),
        effect=drawn(log_ratio("median of scores"), arm).exp(),
        region=at_most(recipe.vanished, why="a gradient that is not even halved has not vanished"),
        unit="times the gradient with the scale",
        bounds=(0.0, math.inf),
        corrected="It is not much smaller.",
        note='Vaswani et al. (2017), section 3.2.1: large products push the softmax "into regions where it has extremely '
        f'small gradients". Median over queries of |dL/dS| at d = {recipe.widths[-1]}. That of |dL/dQ| is {queries:.2g} times as '
        "large, because without the scale it is not divided by √d.",
    )


def closed_form(recipe: Recipe, arm: Arm) -> Part:
    """The mean square gradient of the scores over its expectation given the weights, without the scale, over all widths."""

    def share(result: JobResult) -> float:
        names = ("unscaled mean square of scores", "unscaled expected mean square of scores")
        totals = [sum(result.values(name)) if result.values(name) else math.nan for name in names]
        return totals[0] / totals[1] - 1 if totals[1] > 0 else math.nan

    return Part(
        **said("gradients, closed form", "control"),
        effect=drawn(share, arm),
        region=within(CLOSED_FORM, why="a tenth is far from a factor or an index that is wrong"),
        unit="relative difference",
        note="E|dL/dS|² = width of V · (Σp² - 2 Σp³ + (Σp²)²) for each query, given its attention weights p.",
    )
