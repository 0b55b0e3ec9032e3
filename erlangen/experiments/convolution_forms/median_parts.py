"""G6: why a median has no fixed matrix, how far it is from one, and the matrix that it does have."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.convolution_forms import FITTED, GRAPHS, Recipe, said, tasks
from erlangen.experiments.kit.counts import missing, numbers, total
from erlangen.experiments.kit.evidence import Evidence, by_seed
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Exact, Part
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import exceeds

RULES = ("sum", "mean", "median", "midpoint", "max", "sum of |h|")
MEDIANS = ("median", "midpoint")
ROUNDING = 1e-9  # of the variance


def median_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """The report's sentence and its two reasons, then extensions."""
    return [
        no_matrix(evidence),
        nonlinear(evidence),
        non_associative(evidence),
        few_values(evidence),
        selection(evidence),
        *residuals(recipe, evidence),
    ]


def violations(evidence: Evidence, rule: str) -> tuple[float, ...]:
    """Pairs of signals on which a rule is not additive, by in-degree 1 to 5; () where not measured."""
    return numbers(evidence.of(tasks.Additivity), f"{rule}_violations")


def linear(evidence: Evidence) -> dict[str, bool]:
    """Whether each rule is additive at every in-degree of 3 or more; {} where not measured."""
    counts = {rule: violations(evidence, rule) for rule in RULES}
    return {rule: not any(counts[rule][2:]) for rule in RULES} if all(counts.values()) else {}


def no_matrix(evidence: Evidence) -> Exact:
    """In-degrees of 3 or more at which a median is additive; sum and mean, which are, show that the count can tell."""
    at_three, additive = [count for median in MEDIANS for count in violations(evidence, median)[2:]], linear(evidence)
    shown = [f"{value:g}" for value in numbers(evidence.of(tasks.Additivity), "median_counterexample")]
    return Exact(
        **said("no matrix"),
        cases=len(at_three) if additive else 0,
        count=at_three.count(0.0),
        unit="in-degrees at which it is additive",
        missing=missing(evidence, tasks.Additivity),
        checks=(Check(name="sum and mean are seen to be additive", passed=additive.get("sum") and additive.get("mean")),),
        corrected="At some in-degree of 3 or more no pair of signals shows that it is not additive.",
        note=f"For x = ({', '.join(shown[:3])}) and y = ({', '.join(shown[3:6])}) the medians are {' and '.join(shown[6:8])}; "
        f"that of x + y is {shown[8]}."
        if shown
        else "",
    )


def nonlinear(evidence: Evidence) -> Exact:
    """Whether the rules that a fixed matrix fits are the additive ones."""
    additive, results = linear(evidence), evidence.of(tasks.Residual)
    left = {
        rule: [numbers(results, f"{graph}_{rule}_matrix and offset") or (math.nan,) for graph in GRAPHS]
        for rule in ("mean", *FITTED)
    }
    totals = {rule: sum(map(max, shares)) for rule, shares in left.items()}  # NaN where one graph lacks it
    fits = {rule: share <= ROUNDING for rule, share in totals.items()}
    return Exact(
        **said("nonlinear"),
        cases=len(fits) if additive and all(map(math.isfinite, totals.values())) else 0,
        count=sum(fits[rule] != additive.get(rule) for rule in fits),
        unit="aggregators for which the two do not go together",
        missing=missing(evidence, tasks.Additivity, tasks.Residual),
        checks=(Check(name="a fixed matrix fits one of them, but not all", passed=set(fits.values()) == {True, False}),),
    )


def non_associative(evidence: Evidence) -> Exact:
    """Whether the rules without a fixed matrix are the non-associative ones."""
    additive = linear(evidence)
    broken = {rule: total(evidence.of(tasks.Additivity), f"{rule}_not_associative") for rule in RULES}
    without = [rule for rule in additive if not additive[rule] and broken[rule] == 0]
    having = [rule for rule in additive if additive[rule] and broken[rule] > 0]
    return Exact(
        **said("non-associative"),
        cases=len(additive) if all(map(math.isfinite, broken.values())) else 0,
        count=len(without) + len(having),
        unit="aggregators for which the two do not go together",
        missing=missing(evidence, tasks.Additivity),
        corrected=f"Associativity does not decide: not associative, yet with a matrix: {', '.join(having) or 'none'}; "
        f"associative, yet without one: {', '.join(without) or 'none'}.",
        note="Associative means here that f(f(a, b), c) = f(a, b, c): values can be aggregated group by group.",
    )


def few_values(evidence: Evidence) -> Exact:
    """Pairs on which the median of one value, or the midpoint of two, is not additive; the lower median of two is not."""
    median, midpoint = violations(evidence, "median"), violations(evidence, "midpoint")
    pairs = numbers(evidence.of(tasks.Additivity), "pairs")
    return Exact(
        **said("in-degrees 1 and 2"),
        cases=2 * pairs[0] + pairs[1] if median and midpoint and pairs else 0,
        count=sum((*median[:1], *midpoint[:2])),
        unit="pairs of signals on which it is not additive",
        missing=missing(evidence, tasks.Additivity),
        checks=(Check(name="the lower median of two, the smaller one, is seen not to be", passed=sum(median[1:2]) > 0),),
    )


def selection(evidence: Evidence) -> Exact:
    """Features for which the matrix does not give the median, bit by bit; that of another feature must be wrong."""
    results = evidence.of(tasks.Selection)
    cases, elsewhere = total(results, "cases"), total(results, "wrong_elsewhere")
    return Exact(
        **said("selection matrix"),
        cases=cases,
        count=total(results, "wrong"),
        unit="features for which it is wrong",
        missing=missing(evidence, tasks.Selection),
        checks=(Check(name="the matrix of another feature is seen to be wrong", passed=elsewhere > 0),),
        note=f"The matrix of the next feature is wrong for {elsewhere:.0f} of {cases:.0f}: it depends on X.",
    )


def residuals(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """What the best fixed matrix, with an offset for every node, leaves of each aggregator more than of the mean."""
    arm, kind = evidence.arm(tasks.Residual), "matrix and offset"
    means = [share for graph in GRAPHS for share in numbers(evidence.of(tasks.Residual), f"{graph}_mean_{kind}")]
    fitted = Check(name="the best fixed matrix leaves nothing of the mean", passed=max(means) <= ROUNDING if means else None)
    region = exceeds(recipe.material, why=f"{recipe.material:.0%} of the variance: with less a fixed matrix would serve as well")

    def excess(graph: str, how: str, result: JobResult) -> float:
        return result.value(f"{graph}_{how}_{kind}") - result.value(f"{graph}_mean_{kind}")

    parts: list[AnyPart] = [
        Part(
            **said(f"fixed matrix, {how}, {name}"),
            effect=by_seed(partial(excess, graph, how), arm, test="t interval over seeds, paired with the mean's share"),
            region=region,
            unit="of the variance",
            bounds=(-1.0, 1.0),
            checks=(fitted,),
            corrected=lambda share: f"It leaves {share.estimate:.2g} of the variance.",
        )
        for graph, name in GRAPHS.items()
        for how in FITTED
    ]
    return [AllOf(**said("fixed matrix"), parts=tuple(part.part for part in parts)), *parts]
