"""The parts of T4 that are counted: exact ranks, the sum of the heads, and what the nets cost."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.heads import Recipe
from erlangen.experiments.heads.evidence import TOLERANCE, nets, unequal
from erlangen.experiments.heads.net_parts import said
from erlangen.experiments.heads.tasks import Learn, Ranks, Sum
from erlangen.experiments.kit.counts import missing, numbers, rows, total
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.records.runs import JobResult

PRODUCTS = ("causal", "bidirectional", "cancelling")
ROUNDING = 1e-12  # of the largest entry, in float64
SWAPPED = 1e-3  # the same, of a layer whose heads have changed places, at least


def counted(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """Of integers, of trained nets, of layers and of costs."""
    layers = [first_layer(recipe, evidence)]
    if recipe.layers > 1:
        layers.append(later_layers(recipe, evidence))
    return [*of_integers(recipe, evidence), *layers, order_of_heads(recipe, evidence), equal_costs(recipe, evidence)]


def of_integers(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """The report's formula, the bound that is true, and where the formula holds."""
    results = evidence.of(Ranks)

    def count(name: str, *kinds: str) -> float:
        return sum(total(results, f"{kind}_{name}") for kind in kinds)

    cases, above, below = (count(name, *PRODUCTS) for name in ("draws", "above", "below"))
    planted = Check("a planted rank above the bound is counted", count("above", "planted") == count("draws", "planted") > 0)
    singular = Check("weights that are not invertible are counted", count("singular", "cancelling") > 0)
    gone = missing(evidence, Ranks)
    return [
        Exact(
            **said(recipe, "rank formula"), cases=cases, count=above + below, missing=gone, checks=(planted,),
            unit="products of another rank", test="exact ranks of integer matrices",
            corrected="The rank is at most the smaller of the two. It is below it where values cancel, as for pairs of tokens "
            "with equal queries and keys and opposite values.",
        ),
        Exact(
            **said(recipe, "rank bound"), cases=cases, count=above, missing=gone, checks=(planted,),
            unit="products of a higher rank", test="exact ranks of integer matrices",
        ),
        Exact(
            **said(recipe, "causal weights"), cases=count("draws", "causal"), missing=gone, checks=(singular,),
            count=count("singular", "causal") + count("below", "causal") + count("above", "causal"),
            unit="counterexamples", test="exact ranks of integer matrices",
            note="A causal matrix of weights is triangular, and its diagonal is positive.",
        ),
    ]  # fmt: skip


def first_layer(recipe: Recipe, evidence: Evidence) -> Exact:
    """One head's output in the first layer against the number of different tokens, which several heads must exceed."""
    one, several = (nets(evidence, heads).arm for heads in (1, recipe.several))
    exceeding = [sum(rank > tokens for rank, tokens in first_ranks(recipe, arm)) for arm in (one, several)]
    return Exact(
        **said(recipe, "first layer, one head"),
        cases=len(first_ranks(recipe, one)),
        count=exceeding[0],
        missing=one.missing or several.missing,
        checks=(Check("several heads exceed that number", exceeding[1] > 0),),
        unit="outputs of a higher rank",
        test="ranks in float64",
        note=f"Mean rank with one head {mean_rank(recipe, one):.3g}, with several {mean_rank(recipe, several):.3g}; the width is "
        f"{recipe.width}.",
        corrected="It has a higher rank.",
    )


def first_ranks(recipe: Recipe, arm: Arm) -> list[tuple[float, float]]:
    """(rank in the first layer, different tokens) of every window of every seed."""
    results = list(arm.results.values())
    ranks = [row[: recipe.windows] for row in rows(results, "exact_ranks")]
    tokens = rows(results, "distinct_tokens")
    return [pair for row, others in zip(ranks, tokens, strict=False) for pair in zip(row, others, strict=False)]


def mean_rank(recipe: Recipe, arm: Arm) -> float:
    """Of the first layer's outputs; NaN where there are none."""
    ranks = [rank for rank, _ in first_ranks(recipe, arm)]
    return sum(ranks) / len(ranks) if ranks else float("nan")


def later_layers(recipe: Recipe, evidence: Evidence) -> Exact:
    """One head's outputs from the second layer on whose rank is short of the width; with half of the values, all must be."""
    arm = nets(evidence, 1).arm
    results = list(arm.results.values())
    found, planted = (after_the_first(recipe, results, name) for name in ("exact_ranks", "planted_exact_ranks"))
    seen = bool(planted) and all(rank < recipe.width for rank in planted)
    return Exact(
        **said(recipe, "later layers, one head"),
        cases=len(found),
        count=sum(rank < recipe.width for rank in found),
        missing=arm.missing,
        checks=(Check("a rank that falls where half of the value weights are set to 0", seen),),
        unit="outputs that are short of full rank",
        test="ranks in float64",
        corrected="Some of its outputs are short of full rank.",
    )


def after_the_first(recipe: Recipe, results: Sequence[JobResult], name: str) -> list[float]:
    """Ranks of every window in every layer but the first."""
    return [rank for row in rows(results, name) for rank in row[recipe.windows :]]


def order_of_heads(recipe: Recipe, evidence: Evidence) -> Exact:
    """Layers that differ from the sum of their heads; with heads that changed places, all must."""
    results = evidence.of(Sum)
    errors = numbers(results, "error")
    swapped = [result.value("error_with_heads_swapped") for result in results if result.params["heads"] != 1]
    return Exact(
        **said(recipe, "order of heads", "control"),
        cases=len(errors),
        count=sum(not error <= ROUNDING for error in errors),
        missing=missing(evidence, Sum),
        checks=(Check("heads that change places are seen", bool(swapped) and min(swapped) > SWAPPED),),
        unit="layers that are not",
        test=f"outputs in float64, to {ROUNDING:g} of the largest entry",
    )


def equal_costs(recipe: Recipe, evidence: Evidence) -> Exact:
    """Nets of another size; the softmax, which does grow with the number of heads, must be seen to."""
    wrong, of = unequal(evidence)
    weights = {result.value("attention_weights") for result in evidence.of(Learn)}
    return Exact(
        **said(recipe, "equal cost", "control"),
        cases=of,
        count=wrong,
        missing=missing(evidence, Learn),
        checks=(Check("the count sees softmax grow with the number of heads", len(weights) == len(recipe.heads)),),
        unit="nets that differ",
        test=f"parameters and the multiply-adds of all matrix products, within {100 * TOLERANCE:g} %",
        note="Softmax has as many entries as there are heads times pairs of tokens: time may grow where products do not.",
    )
