"""Padding: the verdicts on flattening, C8: what it does, why, and what pooling does instead."""

from __future__ import annotations

import math

from erlangen.experiments.kit.judging import ends, not_measured
from erlangen.experiments.padding import PADDING_NAMES
from erlangen.experiments.padding.evidence import Evidence, listed, mean
from erlangen.records.runs import Outcome, Verdict
from erlangen.statistics.intervals import accuracy_interval, paired_interval


def fact(evidence: Evidence, rows: list[str]) -> Verdict:
    """Every flattened net scores 100 in validation and 0 in test."""
    statement = f"With flatten in place of global pooling these score 100, then 0: {listed(rows)}."
    if not evidence.complete(rows):
        return not_measured("C8", "fact", statement, "statistical")
    tested = [value for row in rows for value in evidence.measured(row, "test_accuracy")]
    validated = [value for row in rows for value in evidence.measured(row, "validation_accuracy")]
    interval = accuracy_interval(tested, evidence.recipe.test)
    tolerance = evidence.recipe.tolerance
    verdict: Outcome = "inconclusive"
    if next_step := evidence.unfit(rows):
        pass
    elif max(tested) > tolerance or min(validated) < 100 - tolerance:
        verdict = "refuted"
    elif interval.high <= tolerance:
        verdict = "supported"
    else:
        next_step = "more seeds"
    return Verdict(
        claim="C8",
        part="fact",
        kind="statistical",
        statement=statement,
        verdict=verdict,
        effect=interval.estimate,
        unit="% test accuracy",
        interval=ends(interval),
        n=len(tested),
        test=f"every net: test at most {max(tested):g} %, validation at least {min(validated):g} %, each within {tolerance:g} "
        f"points; where no net differs from another the interval is Clopper-Pearson's over {evidence.recipe.test} images",
        published=0.0,
        measured=interval.estimate,
        next_step=next_step,
    )


def cause(evidence: Evidence, paddings: list[str]) -> Verdict:
    """Had flattening destroyed place, a probe would read less of it from Net2 than from Net1."""
    statement = "Flattening destroys spatial information."
    rows = [f"{net}/{padding}" for net in ("Net1", "Net2") for padding in paddings]
    if not evidence.complete(rows, "place_r2", "place_r2_untrained"):
        return not_measured("C8", "cause", statement, "statistical")
    pooled, flattened = (by_seed(evidence, [f"{net}/{padding}" for padding in paddings], "place_r2") for net in ("Net1", "Net2"))
    untrained = by_seed(evidence, [f"Net2/{padding}" for padding in paddings], "place_r2_untrained")
    difference = paired_interval(flattened, pooled)
    verdict: Outcome = "inconclusive"
    corrected = None
    if next_step := evidence.unfit(rows):
        pass
    elif len(paddings) < len(PADDING_NAMES):
        next_step = "take all six paddings: where pooling keeps place too the two nets cannot differ"
    elif difference.low > 0:
        verdict = "refuted"
        corrected = (
            f"Flattening keeps place (R² {mean(flattened):.2f} trained, {mean(untrained):.2f} untrained; pooled "
            f"{mean(pooled):.2f}), and that is the trouble: height alone solves the training set, and fails when heights are "
            "swapped."
        )
    elif difference.high < 0:
        verdict = "supported"
    else:
        next_step = "more seeds"
    return Verdict(
        claim="C8",
        part="cause",
        kind="statistical",
        statement=statement,
        verdict=verdict,
        corrected=corrected,
        effect=difference.estimate,
        unit="R² of the boxes' height, Net2 - Net1",
        interval=ends(difference),
        n=difference.n,
        test=f"linear probe on the 64 features before the last layer, held-out R², mean over {', '.join(paddings)}; paired t "
        f"interval over seeds; Net1 {mean(pooled):.2f}, Net2 {mean(flattened):.2f}, Net2 untrained {mean(untrained):.2f}",
        measured=difference.estimate,
        next_step=next_step,
    )


def translation(evidence: Evidence, rows: list[str]) -> Verdict:
    """Does pooling make the prediction blind to a shift by 16 rows, whole strides for every layer?"""
    statement = f"A pooled net ignores where the boxes are: {listed(rows)}."
    by_row = {row: flips_at_the_largest_shift(evidence, row) for row in rows}
    if not evidence.complete(rows) or not all(math.isfinite(flip) for flips in by_row.values() for flip in flips):
        return not_measured("C8", "translation", statement, "statistical")
    flips = {row: accuracy_interval(values, evidence.recipe.validation) for row, values in by_row.items()}
    worst, most = max(flips.items(), key=lambda item: item[1].estimate)
    broken = [row for row, interval in flips.items() if interval.low > 50]
    verdict: Outcome = "inconclusive"
    corrected = None
    if next_step := evidence.unfit(rows):
        pass
    elif broken:
        verdict = "refuted"
        corrected = f"Pooling is not enough. The border tells place to {listed(broken)}: most predictions follow it."
    elif all(interval.high < 10 for interval in flips.values()):
        verdict = "supported"
    else:
        next_step = "more seeds"
    means = ", ".join(f"{row.split('/')[1]} {interval.estimate:.0f} %" for row, interval in flips.items())
    return Verdict(
        claim="C8",
        part="translation",
        kind="statistical",
        statement=statement,
        verdict=verdict,
        corrected=corrected,
        effect=most.estimate,
        unit=f"% of predictions that flip when the boxes move by 16 rows ({worst})",
        interval=ends(most),
        n=most.n,
        test=f"Net1, means over seeds: {means}; broken where the 95 % interval lies above 50 %, kept where all lie below 10 %",
        measured=most.estimate,
        next_step=next_step,
    )


def flips_at_the_largest_shift(evidence: Evidence, row: str) -> list[float]:
    """Percent of predictions, by seed."""
    return [(result.values("shift_flips") or (math.nan,))[-1] for result in evidence.nets[row].values()]


def by_seed(evidence: Evidence, rows: list[str], name: str) -> list[float]:
    """One number a seed, the mean over rows: n counts independent draws."""
    return [mean([evidence.nets[row][seed].value(name) for row in rows]) for seed in range(evidence.recipe.seeds)]
