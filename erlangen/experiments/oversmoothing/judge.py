"""Depth, and the node itself: verdicts and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.kit.judging import counted, ends, not_measured, published_numbers
from erlangen.experiments.oversmoothing import ARMS, Recipe
from erlangen.experiments.oversmoothing.figures import NAMES, accuracy_figure, propagation_figure, smoothness_figure
from erlangen.records.runs import Figure, Findings, JobResult, Outcome, Verdict
from erlangen.statistics.intervals import Interval, holm, mean_interval, paired_interval, paired_p_value

NOTHING = 1e-12  # an energy of 0, in logarithms
ASKED = "Does a graph convolution need B to see the node itself, and does B keep deep nets from over-smoothing?"


published = partial(published_numbers, "erlangen.experiments.oversmoothing")
"""Accuracies from the literature."""


def of_task(results: Sequence[JobResult], name: str) -> list[JobResult]:
    return sorted((result for result in results if result.params["task"] == name), key=lambda result: result.seed)


def nets(results: Sequence[JobResult], arm: str, depth: int) -> dict[int, JobResult]:
    """Seed -> the trained net."""
    trained = of_task(results, "train")
    return {r.seed: r for r in trained if r.params["arm"] == arm and r.params["depth"] == depth}


def values(results: Sequence[JobResult], arm: str, depth: int, name: str) -> list[float]:
    """A measurement of every net of an arm and depth."""
    return [net.value(name) for net in nets(results, arm, depth).values()]


def paired(left: dict[int, JobResult], right: dict[int, JobResult], name: str) -> tuple[list[float], list[float]]:
    """The same measurement of two arms, for the seeds that both have."""
    seeds = sorted(left.keys() & right.keys())
    return [left[seed].value(name) for seed in seeds], [right[seed].value(name) for seed in seeds]


def kept_up(change: Interval, tolerance: float) -> Outcome:
    """Whether what changed from shallow to deep is a loss of less than `tolerance`."""
    if math.isnan(change.low):
        return "inconclusive"
    return "supported" if change.low > -tolerance else "refuted" if change.high < -tolerance else "inconclusive"


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """Ten parts; those whose jobs failed are `not measured`."""
    return [
        *itself(of_task(results, "itself")),
        propagate(recipe, of_task(results, "propagate")),
        *(energy(recipe, results, regime) for regime in ("random", "trained")),
        accuracy(recipe, results),
        *against(recipe, results),
        cause(recipe, results),
    ]


def itself(found: list[JobResult]) -> list[Verdict]:
    """Whether a node sees itself, counted node by node."""

    def total(name: str) -> float:
        return sum(result.value(name) for result in found) if found else math.nan

    names = ("undirected", "acyclic")
    nodes = sum(total(f"{name}_nodes") for name in names)
    blind, seeing = (sum(total(f"{name}_{arm}_1") for name in names) for arm in ("none", "root"))
    looped, back, away = total("looped_none_1"), total("undirected_none_2"), total("acyclic_none_2")
    listening = total("undirected_listening")
    came_back = (
        f"After two layers without B it is back wherever a walk of two edges returns: at {back:.0f} of "
        f"{total('undirected_nodes'):.0f} nodes of undirected graphs ({listening:.0f} have neighbors), at {away:.0f} where "
        f"no walk returns. A self-loop does it in one layer, at {looped:.0f} of {total('looped_nodes'):.0f} nodes."
    )
    test = "graphs without self-loops, undirected and acyclic, isolated nodes in both; one node's features moved, float64, no σ"
    seen = f"{test}: {blind:.0f} nodes see themselves without B, {seeing:.0f} of {nodes:.0f} with"
    return [
        counted(
            "G3", "self", "Without self-loops one layer sees the node itself if, and only if, it has B.", cases=2 * nodes,
            failures=blind + nodes - seeing, test=seen,
        ),
        counted(
            "G3", "two-layers", "Two layers without B do not see the node itself.", cases=nodes, failures=back + away, test=test,
            corrected=came_back if back + away else None,
        ),
    ]  # fmt: skip


def propagate(recipe: Recipe, found: list[JobResult]) -> Verdict:
    """Energies without weights at `deep`, over those at the first depth."""
    first = recipe.depths[0]
    statement = f"Without weights, B = I keeps the energy: at depth {recipe.deep} no less than {recipe.keep:g} of depth {first}."
    place = recipe.depths.index(recipe.deep) + 1  # energies start at depth 0
    kept: dict[str, list[float]] = {}
    for result in found:
        values = result.values("energy")
        if len(values) > place and values[1] > 0:
            kept.setdefault(str(result.params["arm"]), []).append(values[place] / values[1])
    if "root" not in kept:
        return not_measured("G3", "propagate", statement)
    lost = sum(not value >= recipe.keep for value in kept["root"])
    shown = ", ".join(f"{NAMES[arm]} {max(values):.3g}" for arm, values in kept.items())
    left, without = max(kept["root"]), max(kept.get("none", [0.0]))
    slower = f"It only slows the fall: of the energy {left:.3g} is left, without B {without:.3g}."
    faster = f"Of the energy {left:.3g} is left, less than without B, {without:.3g}: what averaging alone swaps for ever settles."
    return counted(
        "G3", "propagate", statement, cases=len(kept["root"]), failures=lost,
        test=f"graphs; share of the energy kept, at most: {shown}",
        corrected=(slower if left > without else faster) if lost else None,
    )  # fmt: skip


def judged(
    recipe: Recipe,
    results: Sequence[JobResult],
    part: str,
    statement: str,
    interval: Interval,
    outcome: Outcome,
    *,
    unit: str,
    test: str,
    corrected: str | None,
    needed: Sequence[str],
    published: float | None = None,
    measured: float | None = None,
) -> Verdict:
    """A statistical verdict; `not measured` where seeds are missing, `inconclusive` where an arm did not fit when shallow."""
    if interval.n < recipe.seeds or not math.isfinite(interval.estimate):
        return not_measured("G3", part, statement, "statistical")
    first = recipe.depths[0]
    fits = {NAMES[arm]: mean_interval(values(results, arm, first, "train_accuracy")).estimate for arm in needed}
    weak = [name for name, fit in fits.items() if not fit >= recipe.fit]
    if weak or math.isnan(interval.low):
        outcome, corrected = "inconclusive", None
    next_step = "more seeds" if outcome == "inconclusive" else ""
    if weak:
        next_step = f"{', '.join(weak)} did not fit {recipe.fit:g} % of the training nodes at depth {first}: more epochs"
    return Verdict(
        claim="G3", part=part, kind="statistical", statement=statement, verdict=outcome, corrected=corrected,
        effect=interval.estimate, unit=unit, interval=ends(interval), n=interval.n, test=test, published=published,
        measured=interval.estimate if measured is None else measured, next_step=next_step,
    )  # fmt: skip


def energy(recipe: Recipe, results: Sequence[JobResult], regime: str) -> Verdict:
    """log10 of the energy at `deep` over that at the first depth, with B; beside it, the other arms."""
    first, name = recipe.depths[0], f"{regime}_energy"
    logs = {}
    for arm in ARMS:
        pairs = zip(*paired(nets(results, arm, recipe.deep), nets(results, arm, first), name), strict=True)
        logs[arm] = [math.log10(max(deep, NOTHING) / shallow) for deep, shallow in pairs if shallow > 0 and not math.isnan(deep)]
    interval, bar = mean_interval(logs["root"]), math.log10(max(recipe.keep, NOTHING))
    outcome: Outcome = "supported" if interval.low > bar else "refuted" if interval.high < bar else "inconclusive"
    others = ", ".join(f"{NAMES[arm]} {10 ** mean_interval(kept).estimate:.2g}" for arm, kept in logs.items() if kept)
    statement = f"With {regime} weights and B, depth {recipe.deep} has {recipe.keep:g} of the energy of depth {first}, or more."
    shares = f"{10**interval.low:.2g} to {10**interval.high:.2g}"
    return judged(
        recipe, results, regime, statement, interval, outcome, unit="log10 of the energy kept",
        needed=("root",) if regime == "trained" else (),
        test=f"t interval over seeds (of the share kept: {shares}); geometric means: {others}",
        corrected=f"Of the energy {10**interval.estimate:.2g} is left." if outcome == "refuted" else None,
    )  # fmt: skip


def accuracy(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """Points of test accuracy from the first depth to `deep`, with B."""
    first, deep = recipe.depths[0], nets(results, "root", recipe.deep)
    change = paired_interval(*paired(deep, nets(results, "root", first), "test_accuracy"))
    outcome = kept_up(change, recipe.tolerance)
    mean = mean_interval(values(results, "root", recipe.deep, "test_accuracy")).estimate
    constant = values(results, "root", recipe.deep, "classes_predicted").count(1)
    return judged(
        recipe, results, "accuracy", f"With B a net of {recipe.deep} layers is as accurate as one of {first}.", change, outcome,
        unit="points of test accuracy", needed=("root",),
        test=f"paired t by seed, tolerance {recipe.tolerance:g} points; at depth {recipe.deep} {mean:.1f} %, and {constant} of "
        f"{len(deep)} nets name one class for every node",
        corrected=f"It loses {-change.estimate:.1f} points." if outcome == "refuted" else None,
        published=published()["graphsage_cora"].get(str(recipe.deep)) if recipe.data == "cora" else None, measured=mean,
    )  # fmt: skip


def against(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """B against each rival at `deep`; Holm over the three."""
    rivals = {
        "better": ("none", "B makes a deep net more accurate."),
        "loops": ("loops", "B makes a deep net more accurate than self-loops do."),
        "parameters": ("wide", "B makes a deep net more accurate than as many parameters without it."),
    }
    root = nets(results, "root", recipe.deep)
    pairs = {part: paired(root, nets(results, arm, recipe.deep), "test_accuracy") for part, (arm, _) in rivals.items()}
    adjusted = holm([paired_p_value(*pair) for pair in pairs.values()])
    found = []
    for (part, (arm, statement)), p in zip(rivals.items(), adjusted, strict=True):
        gain = paired_interval(*pairs[part])
        outcome: Outcome = "inconclusive"
        if p < 0.05:
            outcome = "supported" if gain.estimate > 0 else "refuted"
        elif gain.within(recipe.tolerance):
            outcome = "refuted"
        ours, theirs = (mean_interval(side).estimate for side in pairs[part])
        scores = f"with B {ours:.1f} %, {NAMES[arm]} {theirs:.1f} %"
        found.append(
            judged(
                recipe, results, part, statement, gain, outcome, unit="points of test accuracy", needed=("root", arm),
                test=f"depth {recipe.deep}, paired t by seed, p = {p:.2g} after Holm over three; {scores}",
                corrected=f"{scores[0].upper()}{scores[1:]}." if outcome == "refuted" else None,
            )
        )  # fmt: skip
    return found


def cause(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """Whether depth is harmless where nothing is averaged: training accuracy of the net without neighbors."""
    first, last = recipe.depths[0], recipe.deep
    change = paired_interval(*paired(nets(results, "alone", last), nets(results, "alone", first), "train_accuracy"))
    outcome = kept_up(change, recipe.tolerance)
    fits = {NAMES[arm]: mean_interval(values(results, arm, last, "train_accuracy")).estimate for arm in ARMS}
    fell = {NAMES[arm]: mean_log10(values(results, arm, last, "random_energy")) for arm in ("alone", "none")}
    return judged(
        recipe, results, "cause", f"Deep nets suffer from averaging: without neighbors {last} layers fit as well as {first}.",
        change, outcome, unit="points of training accuracy", needed=("alone",),
        test=f"paired t by seed; training accuracy at depth {last}: {listed(fits, '{:.0f} %')}; energy before training: "
        f"{listed(fell, '10^{:.1f}')}",
        corrected=f"Without any neighbor to average, {last} layers fit {-change.estimate:.0f} points less: depth alone does that."
        if outcome == "refuted" else None,
    )  # fmt: skip


def listed(numbers: dict[str, float], form: str) -> str:
    """'with B 61 %, without B 20 %'"""
    return ", ".join(f"{name} {form.format(number)}" for name, number in numbers.items())


def mean_log10(energies: Sequence[float]) -> float:
    return mean_interval([math.log10(max(energy, NOTHING)) for energy in energies]).estimate


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    shown: list[Figure] = []
    if of_task(results, "train"):
        shown += [accuracy_figure(recipe, results), smoothness_figure(recipe, results)]
    if of_task(results, "propagate"):
        shown.append(propagation_figure(recipe, of_task(results, "propagate")))
    answer = []
    means = [
        mean_interval(values(results, arm, depth, "test_accuracy")).estimate
        for arm, depth in (("root", recipe.deep), ("none", recipe.deep), ("root", recipe.depths[0]))
    ]
    if all(math.isfinite(mean) for mean in means):
        answer.append(
            f"With B a net of {recipe.deep} layers scores {means[0]:.1f} %, without B {means[1]:.1f} %; one of "
            f"{recipe.depths[0]} with B {means[2]:.1f} %."
        )
    refuted = [verdict.part for verdict in verdicts if verdict.verdict == "refuted"]
    answer.append(f"Refuted as stated: {', '.join(refuted) or 'none'}.")
    return Findings(asked=ASKED, found=" ".join(answer), figures=tuple(shown))
