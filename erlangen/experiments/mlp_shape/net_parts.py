"""The parts of T5 about losses: the shapes from each start, with and without inner residuals, and how much a poor rate costs."""

from __future__ import annotations

from functools import partial

from erlangen.experiments.kit.evidence import Evidence, difference
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.texts import TEXTS, text_title
from erlangen.experiments.kit.tuning import Tuned, tuning_check
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.experiments.mlp_shape import CLAIMS, QUOTES, TOO_HIGH, Recipe
from erlangen.experiments.mlp_shape.evidence import equal_size, every_rate, nets, sensitivity, title, untrained
from erlangen.experiments.mlp_shape.tasks import Shake
from erlangen.records.runs import Of
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import exceeds

PAIRS = {  # part -> the shape whose loss is said to be higher, and the other
    "loss": ("deep", "wide"),
    "loss, two hidden layers": ("middle", "wide"),
    "loss, inner residuals": ("deep-residual", "wide"),
    "loss, start of He": ("deep-he", "wide-he"),
    "loss, start of GPT-2": ("deep-gpt2", "wide-gpt2"),
}
RUINED = 0.5  # nats per character by which a rate that is far too high must be seen to raise the loss


def said(recipe: Recipe, part: str, of: Of = "extension") -> Wording:
    """The wording of a part. The report did not mean a text of the user's: there its sentences are an extension."""
    return wording(CLAIMS, QUOTES if recipe.corpus in TEXTS else {}, part, of)


def losses(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """The report's comparison, and those for which the recipe has both shapes."""
    pairs = {part: pair for part, pair in PAIRS.items() if part == "loss" or set(pair) <= set(recipe.arms)}
    return [loss(recipe, evidence, part, *pair) for part, pair in pairs.items()]


def loss(recipe: Recipe, evidence: Evidence, part: str, deep: str, wide: str) -> Part:
    """Held-out loss of the deeper shape minus that of the wider, each at its best rate."""
    left, right = nets(recipe, evidence, deep), nets(recipe, evidence, wide)
    return Part(
        **said(recipe, part),
        effect=difference(left.arm, right.arm, "test_loss", unit="nats per character"),
        region=exceeds(recipe.edge, why="a smaller difference of losses does not matter"),
        unit=f"nats per character, {left.arm.name} minus {right.arm.name}",
        untrained=untrained(recipe, left, right),
        checks=(equal_size(evidence), tuning_check(left, right)),
        corrected=partial(loss_in_words, recipe),
        note=f"On {text_title(recipe.corpus)}. {at_rates(left, right)}",
    )


def loss_in_words(recipe: Recipe, gap: Interval) -> str:
    """What is true where deep is not worse by the edge: better, or as good."""
    if gap.high < -recipe.edge:
        return f"The deeper MLP reaches a lower loss, by {-gap.estimate:.3f} nats per character."
    return f"The deeper MLP's loss is no more than {recipe.edge:g} nats higher (difference {gap.estimate:.3f})."


def instability(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """How much more a poor rate costs the deep MLP; and that a rate far too high is seen to cost much."""
    deep, wide = (nets(recipe, evidence, arm) for arm in ("deep", "wide"))
    sensitive = Part(
        **said(recipe, "instability"),
        effect=difference(
            sensitivity(recipe, evidence, "deep"), sensitivity(recipe, evidence, "wide"), "sensitivity", unit="nats per character"
        ),
        region=exceeds(recipe.edge, why="a smaller difference of losses does not matter"),
        unit=f"nats per character, {deep.arm.name} minus {wide.arm.name}",
        untrained=untrained(recipe, deep, wide),
        checks=(equal_size(evidence), ruined_check(recipe, evidence)),
        corrected=lambda gap: f"A poor rate costs the deep MLP {gap.estimate:.3f} nats per character more than the wide one.",
        note=f"Mean loss over the rates {', '.join(f'{rate:g}' for rate in recipe.rates)} minus that at the best of them; no "
        f"loss counts for more than a uniform guess. {diverged(recipe, evidence)}",
    )
    return [sensitive, ruined(recipe, evidence)]


def diverged(recipe: Recipe, evidence: Evidence) -> str:
    """How many nets of either shape ended with a loss that is not finite, at whatever rate."""
    words = []
    for arm in ("deep", "wide"):
        results = every_rate(evidence, arm)
        words.append(f"{sum(result.value('diverged') == 1 for result in results)} of {len(results)} ({title(recipe, arm)})")
    return f"Nets that diverged: {' and '.join(words)}."


def ruined(recipe: Recipe, evidence: Evidence) -> Part:
    """Positive control: what a rate that is far too high costs the wide MLP."""
    wide, shaken = nets(recipe, evidence, "wide"), evidence.arm(Shake)
    return Part(
        **said(recipe, "instability is seen", "control"),
        effect=difference(shaken, wide.arm, "bounded_loss", unit="nats per character"),
        region=exceeds(RUINED, why="far more than any difference between shapes that would matter"),
        unit=f"nats per character, at a rate of {TOO_HIGH:g} minus at the best",
        corrected="They are not.",
    )


def ruined_check(recipe: Recipe, evidence: Evidence) -> Check:
    """Whether that control saw it."""
    gap = ruined(recipe, evidence).effect
    seen = None if gap.missing or gap.not_finite else gap.interval(0.95).estimate > RUINED
    return Check("a rate that is far too high is seen to be unstable", seen)


def at_rates(*compared: Tuned) -> str:
    """The learning rates at which nets are compared."""
    return "Best learning rates: " + ", ".join(f"{best.rate:g} for {best.arm.name}" for best in compared) + "."
