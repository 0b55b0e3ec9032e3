"""The parts of T4 that nets decide: effective rank, loss, and the task that one head must fail."""

from __future__ import annotations

from collections.abc import Callable

from erlangen.experiments.heads import CLAIMS, QUOTES, Recipe
from erlangen.experiments.heads.evidence import control, copiers, equal_cost, heads_in_words, nets, untrained
from erlangen.experiments.kit.evidence import Evidence, difference, mean, ratio
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.texts import TEXTS, text_title
from erlangen.experiments.kit.tuning import Tuned, tuning_check
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.records.runs import Of
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import at_most, exceeds

RANK = "effective_rank_after"


def said(recipe: Recipe, part: str, of: Of = "extension") -> Wording:
    """The wording of a part. The report did not mean a text of the user's: there its sentences are an extension."""
    return wording(CLAIMS, QUOTES if recipe.corpus in TEXTS else {}, part, of)


def of_nets(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Several heads against one; and, where there are more, the largest numbers of heads."""
    parts = [effective_rank(recipe, evidence), learning(recipe, evidence)]
    if recipe.heads[-1] != recipe.several:
        parts += [saturation(recipe, evidence), most_heads(recipe, evidence)]
    return [*parts, four_sources(recipe, evidence)]


def effective_rank(recipe: Recipe, evidence: Evidence) -> Part:
    """The ratio of several heads' effective rank to one head's, after training."""
    several, one = nets(evidence, recipe.several), nets(evidence, 1)
    return Part(
        **said(recipe, "effective rank"),
        effect=ratio(several.arm, one.arm, RANK, unit="directions"),
        region=exceeds(recipe.factor - 1, than=1.0, why="a smaller gain in directions does not matter"),
        unit="times one head's effective rank",
        untrained=untrained(recipe, several, one),
        checks=(equal_cost(evidence), tuning_check(several, one)),
        corrected=lambda gain: f"The effective rank of several heads' output is {gain.estimate:.2f} times that of one.",
        note=f"{setting(recipe)} Mean over layers and over {recipe.windows} windows of {4 * recipe.width} tokens. "
        f"{at_rates(several, one)}",
    )


def learning(recipe: Recipe, evidence: Evidence) -> Part:
    """By how much the loss of one head is above that of several."""
    return loss_part(
        recipe, evidence, "learning", 1, recipe.several,
        lambda gain: f"The losses differ by {gain.estimate:.3f} nats per character (one head minus several).",
        control(recipe, evidence),
    )  # fmt: skip


def most_heads(recipe: Recipe, evidence: Evidence) -> Part:
    """By how much the loss of the largest number of heads is above that of several."""
    return loss_part(
        recipe, evidence, "most heads", recipe.heads[-1], recipe.several,
        lambda gain: f"The losses differ by {gain.estimate:.3f} nats per character (most heads minus several).",
    )  # fmt: skip


def loss_part(
    recipe: Recipe, evidence: Evidence, part: str, worse: int, better: int, corrected: Callable[[Interval], str], *checks: Check
) -> Part:
    """Held-out loss with `worse` heads minus that with `better`."""
    left, right = nets(evidence, worse), nets(evidence, better)
    return Part(
        **said(recipe, part),
        effect=difference(left.arm, right.arm, "test_loss", unit="nats per character"),
        region=exceeds(recipe.edge, why="a smaller difference of losses does not matter"),
        unit=f"nats per character, {heads_in_words(worse)} minus {heads_in_words(better)}",
        untrained=untrained(recipe, left, right),
        checks=(equal_cost(evidence), tuning_check(left, right), *checks),
        corrected=corrected,
        note=f"{setting(recipe)} {at_rates(left, right)}",
    )


def saturation(recipe: Recipe, evidence: Evidence) -> Part:
    """The ratio of effective ranks of the two largest numbers of heads; rank must be seen to rise before them."""
    most, fewer = nets(evidence, recipe.heads[-1]), nets(evidence, recipe.heads[-2])
    gain = ratio(nets(evidence, recipe.several).arm, nets(evidence, 1).arm, RANK).interval(0.95).estimate
    rises = Check(f"an effective rank that rises from 1 to {heads_in_words(recipe.several)}", gain > recipe.factor)
    return Part(
        **said(recipe, "saturation"),
        effect=ratio(most.arm, fewer.arm, RANK, unit="directions"),
        region=at_most(recipe.factor, center=1.0, why="a smaller gain in directions does not matter"),
        unit=f"times the effective rank of {heads_in_words(recipe.heads[-2])}",
        untrained=untrained(recipe, most, fewer),
        checks=(equal_cost(evidence), tuning_check(most, fewer), rises),
        corrected="It still rises.",
        note=f"From {heads_in_words(recipe.heads[-2])} to {heads_in_words(recipe.heads[-1])}, on {text_title(recipe.corpus)}.",
    )


def four_sources(recipe: Recipe, evidence: Evidence) -> Part:
    """Points between several heads and one; once each head is given the values of the next, nothing may be copied."""
    several, one = copiers(evidence, recipe.several), copiers(evidence, 1)
    left = mean(several, "copied_with_heads_swapped").interval(0.95).estimate
    swapped = Check("heads that cannot change places", None if left != left else left < 100 - recipe.points)
    return Part(
        **said(recipe, "four sources", "control"),
        effect=difference(several, one, "copied", unit="%"),
        region=exceeds(recipe.points, why="far above what a net could owe to chance"),
        unit="% of positions, several heads minus one",
        bounds=(-100.0, 100.0),
        checks=(swapped,),
        corrected="Several heads do not do what one cannot.",
        note=f"{setting(recipe)} All four tokens must be right; with each head's values given to the next, {left:.0f} % are.",
    )


def setting(recipe: Recipe) -> str:
    """What several means."""
    return f"Here several means {recipe.several}, on {text_title(recipe.corpus)}."


def at_rates(*compared: Tuned) -> str:
    """The learning rates at which nets are compared."""
    return "Best learning rates: " + ", ".join(f"{best.rate:g} with {best.arm.name}" for best in compared) + "."
