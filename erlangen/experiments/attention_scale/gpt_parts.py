"""The scale of attention: the parts about the heads of a trained GPT."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from statistics import fmean

from erlangen.experiments.attention_scale import CLAIMS, QUOTES, Recipe
from erlangen.experiments.attention_scale.statements import POSITION_NAMES
from erlangen.experiments.attention_scale.tasks import POSITIONS, Language
from erlangen.experiments.kit.evidence import Arm, Evidence, by_seed
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import exceeds

said = partial(wording, CLAIMS, QUOTES)

LARGER = 2.0  # times d · σ⁴


def gpt_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Mean, variance and share of the means, for each kind of positions."""
    parts = []
    for positions in POSITIONS:
        arm = evidence.arm(Language, positions=positions)
        parts += [mean_part(recipe, arm, positions), variance_part(recipe, arm, positions), share_part(recipe, arm, positions)]
    return parts


def over_heads(quantity: Callable[..., float], when: str, *names: str) -> Callable[[JobResult], float]:
    """The mean over heads of a function of some of their measurements; NaN where one is missing or not finite."""

    def value(result: JobResult) -> float:
        columns = [result.values(f"{when} {name}") for name in names]
        if not all(columns) or not all(math.isfinite(entry) for column in columns for entry in column):
            return math.nan
        return fmean(quantity(*entries) for entries in zip(*columns, strict=True))

    return value


def in_spreads(mean: float, variance: float) -> float:
    """|E[q · k]| in standard deviations of q · k."""
    return abs(mean) / math.sqrt(variance) if variance > 0 else math.nan


def log_excess(variance: float, independent: float) -> float:
    """ln(Var(q · k) / (d · σ_q² σ_k²))."""
    return math.log(variance / independent) if variance > 0 and independent > 0 else math.nan


def mean_part(recipe: Recipe, arm: Arm, positions: str) -> Part:
    """How far the mean product of a head is from 0, in units of its spread."""
    name = POSITION_NAMES[positions]
    before, after = (over_heads(in_spreads, when, "mean", "variance") for when in ("before", "after"))
    return Part(
        **said(f"GPT, {name}: mean"),
        effect=by_seed(after, arm),
        region=exceeds(recipe.shifted, why="a mean of a tenth of a standard deviation is not noticed beside the spread"),
        unit="standard deviations, averaged over heads",
        bounds=(0.0, math.inf),
        untrained=arm.above("validation_loss", recipe.gpt_fit),
        corrected=lambda size: f"It is {size.estimate:.2g} standard deviations away from 0, averaged over heads.",
        note=f"Before training it is {arm.mean(before).estimate:.2g}. A softmax does not see what is added to all scores of a "
        "query.",
    )


def variance_part(recipe: Recipe, arm: Arm, positions: str) -> Part:
    """The variance over d · σ_q² σ_k², a geometric mean over heads. Before training the two agree: the control."""
    name = POSITION_NAMES[positions]
    before, after = (over_heads(log_excess, when, "variance", "independent") for when in ("before", "after"))
    untrained = math.exp(arm.mean(before).estimate)
    return Part(
        **said(f"GPT, {name}: variance"),
        effect=by_seed(after, arm).exp(),
        region=exceeds(LARGER - 1, than=1.0, why="twice the variance makes scores 1.4 times as large"),
        unit="times d · σ⁴",
        bounds=(0.0, math.inf),
        untrained=arm.above("validation_loss", recipe.gpt_fit),
        checks=(Check("before training it is near d · σ⁴", None if math.isnan(untrained) else untrained < LARGER),),
        corrected=lambda ratio: f"It is {ratio.estimate:.2g} times d · σ⁴.",
        note=f"Before training it is {untrained:.2f} times d · σ⁴, because entries are independent then. {sizes(arm)}",
    )


def sizes(arm: Arm) -> str:
    """The variance of q · k before and after training, in words."""
    means = [spread(arm, when) for when in ("before", "after")]
    return f"Var(q · k) goes from {means[0]:.2g} to {means[1]:.3g} (geometric mean over heads)."


def spread(arm: Arm, when: str) -> float:
    """The geometric mean over heads and seeds of Var(q · k)."""
    logs = over_heads(lambda variance: math.log(variance) if variance > 0 else math.nan, when, "variance")
    return math.exp(arm.mean(logs).estimate)


def share_part(recipe: Recipe, arm: Arm, positions: str) -> Part:
    """The share of E[(q · k)²] that is gone when the mean query and the mean key are subtracted."""
    name = POSITION_NAMES[positions]
    before, after = (over_heads(lambda share: share, when, "from means") for when in ("before", "after"))
    return Part(
        **said(f"GPT, {name}: share of the means"),
        effect=by_seed(after, arm),
        region=exceeds(recipe.due, why="without a fifth of the second moment, scores are a tenth smaller"),
        unit="of E[(q · k)²], averaged over heads",
        bounds=(-math.inf, 1.0),
        untrained=arm.above("validation_loss", recipe.gpt_fit),
        corrected=lambda share: f"The means make up {100 * share.estimate:.0f} % of it, averaged over heads.",
        note=f"Before training it is {100 * arm.mean(before).estimate:.0f} %: frequent characters alone give states a mean.",
    )
