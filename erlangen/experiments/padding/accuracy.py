"""Padding: the verdicts on the table of accuracies, C2 and the order of C5."""

from __future__ import annotations

import math

from erlangen.experiments.kit.judging import ends, not_measured
from erlangen.experiments.padding.evidence import Evidence, mean, published
from erlangen.records.runs import Outcome, Verdict
from erlangen.statistics.intervals import Interval, accuracy_difference, accuracy_interval, holm, paired_p_value

ORDER = ("Net1/valid", "Net1/sconv", "Net1/fconv")
OTHER_PROTOCOL = "these nets were not trained as the source's: `--preset standard` compares with its table"


def row(evidence: Evidence, name: str) -> Verdict:
    """C2, one row: equivalent to the published accuracy within the tolerance, different, or undecided."""
    reference, tolerance = published()["padding_table"][name]["test"], evidence.recipe.tolerance
    statement = f"{name} scores {mean(reference):.1f} % on the swapped test set."
    if not evidence.complete([name]):
        return not_measured("C2", name, statement, "statistical")
    accuracies, difference = evidence.measured(name, "test_accuracy"), evidence.difference(name)
    own = accuracy_interval(accuracies, evidence.recipe.test)
    verdict: Outcome = "inconclusive"
    if next_step := evidence.unfit([name]):
        pass
    elif difference.within(tolerance):
        verdict = "supported"
    elif difference.low > tolerance or difference.high < -tolerance:
        verdict, next_step = "refuted", "compare processor, torch build and versions with the source's"
    else:
        next_step = f"{seeds_needed(difference, tolerance)} would decide ±{tolerance:g} points"
    return Verdict(
        claim="C2",
        part=name,
        kind="statistical",
        statement=statement,
        verdict=verdict,
        effect=difference.estimate,
        unit="points, measured - published",
        interval=ends(difference),
        n=difference.n,
        test=f"equivalence within ±{tolerance:g} points, 95 % t interval paired by seed; the measured mean's own interval: "
        f"{text(own)} %",
        published=mean(reference),
        measured=mean(accuracies),
        next_step=next_step,
    )


def table(evidence: Evidence) -> Verdict:
    """C2, all rows at once: no mean further from the published one than the tolerance, unless chance explains it."""
    recipe = evidence.recipe
    statement = f"All {len(recipe.rows)} rows score as published."
    if not evidence.complete(recipe.rows):
        return not_measured("C2", "table", statement, "statistical")
    differences = {name: evidence.difference(name) for name in recipe.rows}
    worst, largest = max(differences.items(), key=lambda item: abs(item[1].estimate))
    p_values = [paired_p_value(*evidence.pairs(name)) for name in recipe.rows]
    adjusted = holm([1.0 if math.isnan(p) else p for p in p_values])  # one seed tests nothing
    far = [name for name, difference in differences.items() if abs(difference.estimate) > recipe.tolerance]
    apart = [name for name, p in zip(recipe.rows, adjusted, strict=True) if name in far and p < 0.05]
    verdict: Outcome = "inconclusive"
    if next_step := evidence.unfit(recipe.rows):
        pass
    elif not evidence.as_published():
        next_step = OTHER_PROTOCOL
    elif apart:
        verdict, next_step = "refuted", f"apart from the published table: {', '.join(apart)}"
    elif far:
        next_step = f"further than {recipe.tolerance:g} points, though within chance: {', '.join(far)}"
    elif recipe.seeds == 1:
        next_step = "one seed shows no spread: take more"
    else:
        verdict = "supported"
    return Verdict(
        claim="C2",
        part="table",
        kind="statistical",
        statement=statement,
        verdict=verdict,
        effect=largest.estimate,
        unit=f"points, measured - published, the largest difference ({worst})",
        interval=ends(largest),
        n=largest.n,
        test=f"every mean within {recipe.tolerance:g} points; beyond it, paired t tests at 5 % with Holm's correction over "
        f"{len(recipe.rows)} rows",
        published=mean(published()["padding_table"][worst]["test"]),
        measured=mean(evidence.measured(worst, "test_accuracy")),
        next_step=next_step,
    )


def order(evidence: Evidence) -> Verdict:
    """C5: both steps of valid < sconv < fconv, paired by seed."""
    statement = "Test accuracy: valid < sconv < fconv."
    if not evidence.complete(ORDER):
        return not_measured("C5", "order", statement, "statistical")
    valid, sconv, fconv = (evidence.measured(name, "test_accuracy") for name in ORDER)
    pairs = ((sconv, valid), (fconv, sconv))
    steps = [accuracy_difference(*pair, evidence.recipe.test, 0.975) for pair in pairs]  # together at 95 %
    theirs = [mean(published()["padding_table"][name]["test"]) for name in ORDER]
    least = min(steps, key=lambda step: step.estimate)
    verdict: Outcome = "inconclusive"
    if next_step := evidence.unfit(ORDER):
        pass
    elif all(step.low > 0 for step in steps):
        verdict, next_step = "supported", f"why is another question{same_size_spread(evidence)}"
    elif any(step.high < 0 for step in steps):
        verdict = "refuted"
    else:
        next_step = "more seeds"
    return Verdict(
        claim="C5",
        part="order",
        kind="statistical",
        statement=statement,
        verdict=verdict,
        effect=least.estimate,
        unit="points, the smaller of the two steps",
        interval=ends(least),
        n=least.n,
        test=f"paired t intervals, 97.5 % each: sconv - valid {text(steps[0])}, fconv - sconv {text(steps[1])}",
        published=min(theirs[1] - theirs[0], theirs[2] - theirs[1]),
        measured=least.estimate,
        next_step=next_step,
    )


def same_size_spread(evidence: Evidence) -> str:
    """How far the paddings of two pixels lie apart, though their maps have one size; '' where they were not all measured."""
    rows = [f"Net1/{padding}" for padding in ("fconv", "replicate", "reflect", "circular")]
    if not set(rows) <= set(evidence.nets) or not evidence.complete(rows):
        return ""
    means = [mean(evidence.measured(row, "test_accuracy")) for row in rows]
    return f": at one map size four paddings differ by {max(means) - min(means):.0f} points"


def seeds_needed(difference: Interval, tolerance: float) -> str:
    """About how many seeds would fit the interval into the tolerance, were the estimate to stay, in words."""
    room = tolerance - abs(difference.estimate)
    if math.isnan(difference.low) or room <= 0:
        return "more seeds"
    half = (difference.high - difference.low) / 2
    return f"about {math.ceil(difference.n * (half / room) ** 2)} seeds"


def text(interval: Interval) -> str:
    """'98.9 [98.7, 99.0]'; the ends are left out where unknown."""
    ends = "" if math.isnan(interval.low) else f" [{interval.low:.1f}, {interval.high:.1f}]"
    return f"{interval.estimate:.1f}{ends}"
