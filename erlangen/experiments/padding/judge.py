"""Padding: verdicts from results. Published numbers stand beside the measured ones and enter only the comparison."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from erlangen.experiments.padding import CLAIMS, PADDING_NAMES, Recipe
from erlangen.experiments.padding.figures import figures
from erlangen.results import Claim, Findings, JobResult, Outcome, Verdict
from erlangen.stats import Interval, accuracy_interval, holm, mean_interval, paired_interval, paired_p_value

CLAIM: dict[str, Claim] = {claim.id: claim for claim in CLAIMS}
Table = dict[str, dict[int, JobResult]]  # row -> seed -> result


@cache
def published() -> dict[str, Any]:
    """The report's table and its rival's, from `published.json`."""
    text = resources.files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def table_of(recipe: Recipe, results: Sequence[JobResult]) -> Table:
    """The trained nets by row and seed; a row whose jobs are missing is there, with fewer seeds or none."""
    table: Table = {row: {} for row in recipe.rows}
    for result in results:
        if result.params["task"] == "train":
            table[f"{result.params['net']}/{result.params['padding']}"][result.seed] = result
    return {row: dict(sorted(seeds.items())) for row, seeds in table.items()}


def task(results: Sequence[JobResult], name: str) -> JobResult | None:
    """The one result of an exact task."""
    return next((result for result in results if result.params["task"] == name), None)


def measured(seeds: dict[int, JobResult], name: str) -> list[float]:
    """One measurement over a row's seeds."""
    return [result.value(name) for result in seeds.values()]


def complete(recipe: Recipe, seeds: dict[int, JobResult]) -> bool:
    """Whether every seed asked for is there."""
    return len(seeds) == recipe.seeds


def unfit(recipe: Recipe, table: Table, rows: Sequence[str]) -> list[str]:
    """Nets that did not reach the recipe's stated fit: no verdict compares them."""
    return [
        f"{row} seed {seed}"
        for row in rows
        for seed, result in table[row].items()
        if not result.value("validation_accuracy") >= recipe.fit
    ]


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """One verdict for every part that the recipe's rows can show; parts whose jobs failed are `not measured`."""
    table = table_of(recipe, results)
    found = [border(results)]
    found += [reproduction(recipe, table), *(row_verdict(recipe, table, row) for row in recipe.rows)]
    found += [*data_verdicts(results), maps(results)]
    rows = set(recipe.rows)
    if {"Net1/valid", "Net1/sconv", "Net1/fconv"} <= rows:
        found.append(order(recipe, table))
    flattened = [row for row in recipe.rows if row.startswith("Net2/")]
    if flattened:
        found.append(flatten_fact(recipe, table, flattened))
    both = [padding for padding in PADDING_NAMES if {f"Net1/{padding}", f"Net2/{padding}"} <= rows]
    if both:
        found.append(flatten_cause(recipe, table, both))
    if any(row.startswith("Net1/") for row in rows):
        found.append(pooling(recipe, table))
    return found


def exact(claim: str, part: str, statement: str, holds: bool, cases: float, failures: float, **fields: Any) -> Verdict:
    """A verdict by cases: supported when none of them fails."""
    return Verdict(
        claim=claim, part=part, kind="exact", statement=statement, n=int(cases), effect=failures, unit="cases that differ",
        interval=(failures, failures), measured=failures, verdict="supported" if holds else "refuted", **fields,
    )  # fmt: skip


def not_measured(claim: str, part: str, kind: Any, statement: str, why: str) -> Verdict:
    return Verdict(
        claim=claim, part=part, kind=kind, statement=statement, verdict="not measured",
        next_step=f"{why}: run the same command again, it resumes",
    )  # fmt: skip


def border(results: Sequence[JobResult]) -> Verdict:
    """C1: the terms' sums against SciPy's."""
    statement = CLAIM["C1"].statement
    result = task(results, "border")
    if result is None:
        return not_measured("C1", "terms", "exact", statement, "the border job is missing")
    corner, edge = result.value("border_outside_at_corner"), result.value("border_outside_at_edge")
    wrong, cases = result.value("border_wrong"), result.value("border_cases")
    return exact(
        "C1", "terms", statement, wrong == 0 and corner > 0 and result.value("border_outside_inside") == 0, cases, wrong,
        test=f"sums of listed terms against SciPy, |error| <= 1e-12; with one pixel of padding {corner:.0f} of 9 terms "
        f"lie outside at a corner, {edge:.0f} at an edge",
        corrected="True where the output is to keep its size: without padding no term lies outside, and the output shrinks instead.",
    )  # fmt: skip


def row_verdict(recipe: Recipe, table: Table, row: str) -> Verdict:
    """C2, one row: is its mean test accuracy the published one, to within the tolerance?"""
    reference = published()["padding_table"][row]["test"]
    statement = f"{row} scores {mean_of(reference):.1f} % on the swapped test set."
    seeds = table[row]
    if not complete(recipe, seeds):
        return not_measured("C2", row, "statistical", statement, f"{len(seeds)} of {recipe.seeds} seeds are there")
    accuracies = measured(seeds, "test_accuracy")
    paired = paired_with_published(recipe, row, seeds)
    absolute = accuracy_interval(accuracies, recipe.test)
    if protocol_differs(recipe):
        verdict: Outcome = "inconclusive"
        next_step = "this recipe departs from the source's: run the standard preset to compare with its table"
    elif unfit(recipe, table, [row]):
        verdict, next_step = "inconclusive", f"below the stated fit of {recipe.fit:g} %: {', '.join(unfit(recipe, table, [row]))}"
    elif paired.within(recipe.tolerance):
        verdict, next_step = "supported", ""
    elif paired.low > recipe.tolerance or paired.high < -recipe.tolerance:
        verdict, next_step = "refuted", "compare processor, torch build and library versions with the source's"
    else:
        verdict, next_step = "inconclusive", f"{seeds_needed(paired, recipe.tolerance)} would settle ±{recipe.tolerance:g} points"
    return Verdict(
        claim="C2", part=row, kind="statistical", statement=statement, verdict=verdict, effect=paired.estimate,
        unit="points, measured - published, paired by seed", interval=ends(paired), n=paired.n,
        test=f"equivalence within ±{recipe.tolerance:g} points by the 95 % t interval of the paired difference; the measured "
        f"mean itself: {absolute.estimate:.2f} % [{absolute.low:.2f}, {absolute.high:.2f}]",
        published=mean_of(reference), measured=mean_of(accuracies), next_step=next_step,
    )  # fmt: skip


def reproduction(recipe: Recipe, table: Table) -> Verdict:
    """C2, all rows: none further from the published mean than the tolerance, unless by chance."""
    statement = f"All {len(recipe.rows)} rows score as published."
    missing = [row for row in recipe.rows if not complete(recipe, table[row])]
    if missing:
        return not_measured("C2", "table", "statistical", statement, f"seeds are missing in {', '.join(missing)}")
    pairs = {row: paired_with_published(recipe, row, table[row]) for row in recipe.rows}
    p_values = holm([paired_p(row, table[row]) for row in recipe.rows])
    far = [row for row, pair in pairs.items() if abs(pair.estimate) > recipe.tolerance]
    differ = [row for row, p in zip(recipe.rows, p_values, strict=True) if row in far and p < 0.05]
    worst = max(pairs.items(), key=lambda item: abs(item[1].estimate))
    if protocol_differs(recipe):
        verdict: Outcome = "inconclusive"
        next_step = "this recipe departs from the source's: run the standard preset to compare with its table"
    elif unfit(recipe, table, recipe.rows):
        verdict, next_step = "inconclusive", f"below the stated fit: {', '.join(unfit(recipe, table, recipe.rows))}"
    elif differ:
        verdict, next_step = "refuted", f"differing: {', '.join(differ)}"
    elif far:
        verdict, next_step = "inconclusive", f"further than {recipe.tolerance:g} points, but within chance: {', '.join(far)}"
    else:
        verdict, next_step = "supported", ""
    return Verdict(
        claim="C2", part="table", kind="statistical", statement=statement, verdict=verdict, effect=worst[1].estimate,
        unit=f"points, measured - published, largest difference ({worst[0]})", interval=ends(worst[1]), n=worst[1].n,
        test=f"every mean within {recipe.tolerance:g} points; beyond it, paired t tests with Holm's correction over "
        f"{len(recipe.rows)} rows at 5 %",
        published=mean_of(published()["padding_table"][worst[0]]["test"]),
        measured=mean_of(measured(table[worst[0]], "test_accuracy")), next_step=next_step,
    )  # fmt: skip


def paired_with_published(recipe: Recipe, row: str, seeds: dict[int, JobResult]) -> Interval:
    """Measured minus published test accuracy over the seeds that both have.

    Where no pair differs from another there is no spread between seeds to build on: the interval is then the binomial one over
    images, about the published mean.
    """
    reference = published()["padding_table"][row]["test"]
    common = [seed for seed in seeds if seed < len(reference)]
    ours, theirs = [seeds[seed].value("test_accuracy") for seed in common], [reference[seed] for seed in common]
    paired = paired_interval(ours, theirs)
    if paired.n < 2 or paired.high > paired.low:
        return paired
    images = accuracy_interval([mean_of(ours)] * len(ours), recipe.test)
    return Interval(paired.estimate, images.low - mean_of(theirs), images.high - mean_of(theirs), paired.n)


def paired_p(row: str, seeds: dict[int, JobResult]) -> float:
    reference = published()["padding_table"][row]["test"]
    common = [seed for seed in seeds if seed < len(reference)]
    p = paired_p_value([seeds[seed].value("test_accuracy") for seed in common], [reference[seed] for seed in common])
    return 1.0 if math.isnan(p) else p  # one seed tests nothing


def protocol_differs(recipe: Recipe) -> bool:
    """Whether the nets were trained or tested otherwise than the source's."""
    source = Recipe()
    names = ("protocol", "epochs", "patience", "train", "validation", "test")
    return any(getattr(recipe, name) != getattr(source, name) for name in names)


def seeds_needed(interval: Interval, tolerance: float) -> str:
    """Roughly how many seeds would make the interval fit into the tolerance, were the estimate to stay."""
    room = tolerance - abs(interval.estimate)
    if interval.n < 2 or room <= 0:
        return "more seeds"
    half = (interval.high - interval.low) / 2
    return f"about {math.ceil(interval.n * (half / room) ** 2)} seeds"


def data_verdicts(results: Sequence[JobResult]) -> list[Verdict]:
    """C3: what the images show, what each cue scores, what the splits share."""
    statement = CLAIM["C3"].statement
    result = task(results, "data")
    if result is None:
        parts = ("classes", "cues", "splits")
        return [not_measured("C3", part, "exact", statement, "the data job is missing") for part in parts]
    names = ("train", "validation", "test")
    images = sum(result.value(f"source_{name}_images") for name in names)
    odd = images - sum(result.value(f"source_{name}_as_stated") for name in names)
    place, order_ = ([result.value(f"source_{name}_by_{cue}") for name in names] for cue in ("place", "order"))
    cues_hold = order_ == [100, 100, 100] and place == [100, 100, 0]
    shared = [result.value(f"source_{name}_in_training") for name in ("validation", "test")]
    unshared = [result.value(f"leak-free_{name}_in_training") for name in ("validation", "test")]
    held_out = sum(result.value(f"source_{name}_images") for name in ("validation", "test"))
    return [
        exact("C3", "classes", statement, odd == 0, images, odd, test="order and height of the lit pixels, every image of every split"),
        exact(
            "C3", "cues", "Order alone solves all splits; place alone solves training and validation and fails the test.",
            cues_hold, images, float(not cues_hold),
            test=f"train / validation / test: order {order_[0]:g} / {order_[1]:g} / {order_[2]:g} %, place {place[0]:g} / {place[1]:g} / {place[2]:g} %",
        ),
        exact(
            "C3", "splits", "Validation and test images are new to the net.", sum(shared) == 0, held_out, sum(shared),
            test=f"images that also occur in training (test: with its boxes moved back by 16 rows): validation {shared[0]:g}, test {shared[1]:g}; "
            f"in the leak-free splits {unshared[0]:g} and {unshared[1]:g}",
            corrected=None if sum(shared) == 0 else "The source seeds every split alike: its validation set is the beginning of its training set, and its test "
            "images are training images with the boxes moved by 16 rows. The leak-free accuracies stand beside the table.",
        ),
    ]  # fmt: skip


def maps(results: Sequence[JobResult]) -> Verdict:
    """C4: sizes by formula, and the three stated ones."""
    statement = CLAIM["C4"].statement
    result = task(results, "maps")
    if result is None:
        return not_measured("C4", "maps", "exact", statement, "the maps job is missing")
    stated = {"valid": 2, "sconv": 4, "fconv": 6, "replicate": 6, "reflect": 6, "circular": 6}
    last = {name: (result.values(f"map_sizes_{name}") or (math.nan,))[-1] for name in stated}
    return exact(
        "C4", "maps", statement, result.value("map_wrong") == 0 and last == stated, result.value("map_cases"), result.value("map_wrong"),
        test="last maps of a 32×32 image: " + ", ".join(f"{name} {size:.0f}×{size:.0f}" for name, size in last.items()),
    )  # fmt: skip


def order(recipe: Recipe, table: Table) -> Verdict:
    """C5: both steps of valid < sconv < fconv, paired by seed."""
    statement = "Test accuracy: valid < sconv < fconv."
    rows = ("Net1/valid", "Net1/sconv", "Net1/fconv")
    if not all(complete(recipe, table[row]) for row in rows):
        return not_measured("C5", "order", "statistical", statement, "seeds are missing")
    valid, sconv, fconv = (measured(table[row], "test_accuracy") for row in rows)
    steps = [paired_interval(sconv, valid, 0.975), paired_interval(fconv, sconv, 0.975)]  # both must hold: 95 % together
    least = min(steps, key=lambda step: step.low)
    verdict: Outcome = "inconclusive"
    if unfit(recipe, table, rows):
        next_step = f"below the stated fit: {', '.join(unfit(recipe, table, rows))}"
    elif all(step.low > 0 for step in steps):
        verdict, next_step = "supported", "why it holds is another question: at equal map size four paddings differ by 94 points"
    elif any(step.high < 0 for step in steps):
        verdict, next_step = "refuted", ""
    else:
        next_step = "more seeds"
    return Verdict(
        claim="C5", part="order", kind="statistical", statement=statement, verdict=verdict, effect=least.estimate,
        unit="points, the smaller of the two steps", interval=ends(least), n=least.n,
        test=f"paired t intervals at 97.5 % each: sconv - valid {text(steps[0])}, fconv - sconv {text(steps[1])}",
        measured=least.estimate, published=least_published_step(), next_step=next_step,
    )  # fmt: skip


def least_published_step() -> float:
    rows = published()["padding_table"]
    valid, sconv, fconv = (mean_of(rows[f"Net1/{name}"]["test"]) for name in ("valid", "sconv", "fconv"))
    return min(sconv - valid, fconv - sconv)


def flatten_fact(recipe: Recipe, table: Table, rows: list[str]) -> Verdict:
    """C8, the fact: binomial intervals over images, as the seeds do not vary."""
    statement = "With flatten in place of pooling every padding scores 100 in validation and 0 in test."
    if not all(complete(recipe, table[row]) for row in rows):
        return not_measured("C8", "fact", "statistical", statement, "seeds are missing")
    tested = [value for row in rows for value in measured(table[row], "test_accuracy")]
    validated = [value for row in rows for value in measured(table[row], "validation_accuracy")]
    interval = accuracy_interval(tested, recipe.test)
    holds = max(tested) <= recipe.tolerance and min(validated) >= 100 - recipe.tolerance
    verdict: Outcome = "supported" if holds else "refuted"
    if unfit(recipe, table, rows):
        verdict = "inconclusive"
    return Verdict(
        claim="C8", part="fact", kind="statistical", statement=statement, verdict=verdict, effect=interval.estimate,
        unit=f"% test accuracy over {len(rows)} paddings", interval=ends(interval), n=len(tested),
        test=f"every net: test at most {max(tested):g} %, validation at least {min(validated):g} %; where no seed differs the interval is "
        f"Clopper-Pearson over {recipe.test} images",
        published=0.0, measured=interval.estimate,
    )  # fmt: skip


def flatten_cause(recipe: Recipe, table: Table, paddings: list[str]) -> Verdict:
    """C8, the cause: were place destroyed by flattening, a probe would read less of it from Net2 than from Net1."""
    statement = "because flattening destroys spatial information"
    rows = [f"{net}/{padding}" for net in ("Net1", "Net2") for padding in paddings]
    if not all(complete(recipe, table[row]) for row in rows):
        return not_measured("C8", "cause", "statistical", statement, "seeds are missing")
    # one number a seed: the mean over paddings, so that n counts independent draws
    by_seed = {
        net: [
            mean_of([table[f"{net}/{padding}"][seed].value("place_r2") for padding in paddings]) for seed in range(recipe.seeds)
        ]
        for net in ("Net1", "Net2")
    }
    difference = paired_interval(by_seed["Net2"], by_seed["Net1"])
    verdict: Outcome = "inconclusive"
    corrected, next_step = None, "more seeds"
    if unfit(recipe, table, rows):
        next_step = f"below the stated fit: {', '.join(unfit(recipe, table, rows))}"
    elif difference.low > 0:
        verdict, next_step = "refuted", ""
        corrected = (
            "Flattening keeps place: that is why the net can solve training by height alone, and fails when heights are swapped."
        )
    elif difference.high < 0:
        verdict, next_step = "supported", ""
    return Verdict(
        claim="C8", part="cause", kind="statistical", statement=statement, verdict=verdict, corrected=corrected, effect=difference.estimate,
        unit="R² of the boxes' height, Net2 - Net1", interval=ends(difference), n=difference.n,
        test=f"linear probe on 64 features, held-out R², mean over {', '.join(paddings)}; Net1 {mean_of(by_seed['Net1']):.2f}, "
        f"Net2 {mean_of(by_seed['Net2']):.2f}; paired t interval over seeds",
        measured=difference.estimate, next_step=next_step,
    )  # fmt: skip


def pooling(recipe: Recipe, table: Table) -> Verdict:
    """C8, the audit: does pooling alone make the prediction blind to a shift by 16 rows?"""
    statement = "Pooling, unlike flattening, leaves a net that ignores where the boxes are."
    rows = [row for row in recipe.rows if row.startswith("Net1/")]
    if not all(complete(recipe, table[row]) for row in rows):
        return not_measured("C8", "translation", "statistical", statement, "seeds are missing")
    flips = {row: mean_interval(flips_at_largest_shift(table[row])) for row in rows}
    worst_row, worst = max(flips.items(), key=lambda item: item[1].estimate)
    broken = [row for row, interval in flips.items() if interval.low > 50]
    verdict: Outcome = (
        "refuted" if broken else "supported" if all(interval.high < 10 for interval in flips.values()) else "inconclusive"
    )
    next_step = "" if verdict != "inconclusive" else "more seeds"
    if unfit(recipe, table, rows):
        verdict, next_step = "inconclusive", f"below the stated fit: {', '.join(unfit(recipe, table, rows))}"
    listed = ", ".join(f"{row.split('/')[1]} {interval.estimate:.0f} %" for row, interval in flips.items())
    return Verdict(
        claim="C8", part="translation", kind="statistical", statement=statement, verdict=verdict, effect=worst.estimate,
        unit=f"% of predictions that flip when the boxes move by 16 rows ({worst_row})", interval=ends(worst), n=worst.n,
        test=f"Net1, means over seeds: {listed}; broken where the 95 % t interval lies above 50 %, kept where all lie below 10 %",
        corrected=f"Pooling is not enough: the border tells place to {', '.join(row.split('/')[1] for row in broken)}." if broken else None,
        measured=worst.estimate, next_step=next_step,
    )  # fmt: skip


def flips_at_largest_shift(seeds: dict[int, JobResult]) -> list[float]:
    return [(result.values("shift_flips") or (math.nan,))[-1] for result in seeds.values()]


def mean_of(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def text(interval: Interval) -> str:
    return f"{interval.estimate:.1f} [{interval.low:.1f}, {interval.high:.1f}]"


def findings(recipe: Recipe, results: Sequence[JobResult], judged: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    table = table_of(recipe, results)
    return Findings(
        asked=ASKED,
        found=answer(recipe, table),
        figures=tuple(figures(recipe, table, published(), task(results, "data"), task(results, "maps"))),
    )


ASKED = (
    "A convolution cannot tell where it is, so a pooled CNN should not know absolute place. Does it learn place all the same, from "
    "the border that padding paints?"
)


def answer(recipe: Recipe, table: Table) -> str:
    """What was found, in one sentence made of measured numbers."""
    by_test: Callable[[str], float] = lambda row: mean_of(measured(table[row], "test_accuracy"))  # noqa: E731
    trained = [row for row in recipe.rows if table[row]]
    if not trained:
        return "Nothing is trained yet."
    readers = [row for row in trained if by_test(row) >= 50]
    blind = [row for row in trained if by_test(row) < 50]
    parts = []
    if blind:
        parts.append("read place and lose the test: " + ", ".join(f"{row} {by_test(row):.1f} %" for row in blind))
    if readers:
        parts.append("read order and keep it: " + ", ".join(f"{row} {by_test(row):.1f} %" for row in readers))
    text = "; ".join(parts)
    return f"With the boxes' heights swapped, these {text} (mean test accuracy over {recipe.seeds} seeds)."
