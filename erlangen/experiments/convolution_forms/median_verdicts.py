"""G6: the verdicts on medians; all but the residual are counted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.convolution_forms import Recipe
from erlangen.experiments.convolution_forms.evidence import STATEMENTS, in_unit, task, total
from erlangen.experiments.kit.judging import counted, ends, not_measured
from erlangen.records.runs import JobResult, Outcome, Verdict
from erlangen.statistics.intervals import Interval, mean_interval, paired_interval

MEDIANS = {"median": "the lower median", "midpoint": "the midpoint of the two medians"}
RULES = ("sum", "mean", "median", "midpoint", "max", "sum of |h|")
RANKING = ("median", "midpoint", "max")  # by definition: what they give is decided by which value is larger
CURVED = ("median", "midpoint", "max")
GRAPHS = {"karate": "karate club", "directed": "random directed"}


def additivity(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """G6: where medians are additive."""
    statement = "At a node of in-degree 3 or more the median is not additive, so no fixed matrix gives it."
    below = "At in-degrees 1 and 2 the median is additive."
    found = task(recipe, results, "additivity")
    if not found:
        return [not_measured("G6", "additivity", statement), not_measured("G6", "degrees-1-2", below)]
    (result,) = found
    pairs = result.values("pairs")
    violated = {name: result.values(f"{name}_violations") for name in MEDIANS}
    shown = "; ".join(f"{MEDIANS[name]}: {example(result, name)}" for name in MEDIANS if result.values(f"{name}_counterexample"))
    listed = "; ".join(
        f"{MEDIANS[name]} " + ", ".join(f"{count:.0f} of {n:.0f}" for count, n in zip(counts, pairs, strict=True))
        for name, counts in violated.items()
    )
    above = math.fsum(count for counts in violated.values() for count in counts[2:])
    everywhere = all(count > 0 for counts in violated.values() for count in counts[2:])
    judged = counted(
        "G6",
        "additivity",
        statement,
        cases=2 * sum(pairs[2:]),
        failures=above,
        holds=everywhere,
        corrected=None if everywhere else "At some in-degree of 3 or more no pair violates it.",
        test=f"every pair of signals of -1, 0 and 1; pairs that violate it at in-degrees 1 to {len(pairs)}: {listed}; {shown}",
    )
    few = {f"{MEDIANS[name]} at {place + 1}": counts[place] for name, counts in violated.items() for place in (0, 1)}
    broken = [name for name, count in few.items() if count]
    held = [name for name, count in few.items() if not count]
    corrected = f"Additive: {', '.join(held) or 'none'}. Not additive: {', '.join(broken)}."
    if f"{MEDIANS['median']} at 2" in broken:
        corrected += " Of two values the lower median is the smaller one."
    small = counted(
        "G6",
        "degrees-1-2",
        below,
        cases=2 * sum(pairs[:2]),
        failures=math.fsum(few.values()),
        test="every pair of signals of -1, 0 and 1; pairs that violate it: "
        + ", ".join(f"{name}: {count:.0f}" for name, count in few.items()),
        corrected=corrected if broken else None,
    )
    return [in_unit(verdict, "pairs where it is not additive") for verdict in (judged, small)]


def example(result: JobResult, name: str) -> str:
    """'x = (0, 0, 1), y = (0, 1, 0): 0 + 0, but 1 for x + y'"""
    values = result.values(f"{name}_counterexample")
    x, y = (", ".join(f"{value:g}" for value in values[start : start + 3]) for start in (0, 3))
    return f"x = ({x}), y = ({y}): {values[6]:g} + {values[7]:g}, but {values[8]:g} for x + y"


def residual_interval(found: Sequence[JobResult], graph: str, how: str, arm: str, level: float = 0.95) -> Interval:
    """Mean over seeds of what the best matrix leaves of an aggregator's variance."""
    return mean_interval([result.value(f"{graph}_{how}_{arm}") for result in found], level)


def residual(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G6: paired with the mean's residual, on both graphs, three aggregators: all six together at 95 %."""
    statement = (
        f"On held-out X the best fixed N×N matrix leaves more than {recipe.material:.0%} of the variance of median, midpoint and "
        "max, and none of the mean's."
    )
    found = task(recipe, results, "residual")
    level = 1 - 0.05 / (len(CURVED) * len(GRAPHS))
    intervals = {
        (graph, how): paired_interval(
            [result.value(f"{graph}_{how}_matrix and offset") for result in found],
            [result.value(f"{graph}_mean_matrix and offset") for result in found],
            level,
        )
        for graph in GRAPHS
        for how in CURVED
    }
    means = [
        result.value(f"{graph}_mean_{arm}") for result in found for graph in GRAPHS for arm in ("matrix", "matrix and offset")
    ]
    if not found or not all(math.isfinite(value.estimate) for value in intervals.values()) or not all(map(math.isfinite, means)):
        return not_measured("G6", "residual", statement, "statistical")
    least = min(intervals.values(), key=lambda interval: interval.estimate)
    verdict: Outcome = "inconclusive"
    if any(interval.high < recipe.material for interval in intervals.values()) or max(means) > 1e-9:
        verdict = "refuted"
    elif all(interval.low > recipe.material for interval in intervals.values()):
        verdict = "supported"
    listed = ", ".join(
        f"{how} {residual_interval(found, graph, how, 'matrix and offset').estimate:.3f} (matrix alone "
        f"{residual_interval(found, graph, how, 'matrix').estimate:.3f}) on {GRAPHS[graph]}"
        for graph, how in intervals
    )
    return Verdict(
        claim="G6",
        part="residual",
        kind="statistical",
        statement=statement,
        verdict=verdict,
        corrected=f"The least residual is {least.estimate:.3g}, the mean's at most {max(means):.0e}."
        if verdict == "refuted"
        else None,
        effect=least.estimate,
        unit="of the variance, the least of six, less the mean's",
        interval=None if math.isnan(least.low) else ends(least),
        n=least.n,
        test=f"least squares on {recipe.draws} white signals, residual on as many others, even with a fixed offset for every "
        f"node beside the matrix; t intervals paired by seed with the mean's residual (at most {max(means):.0e}), six together "
        f"at 95 % (Bonferroni); {listed}",
        measured=least.estimate,
        next_step="more seeds" if verdict == "inconclusive" else "",
    )


def selection(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G6: a matrix that depends on X."""
    statement = (
        "For each feature f a matrix that depends on X does give it: S_f(X) X_f = median(X)_f, with at most one 1 in a row."
    )
    found = task(recipe, results, "selection")
    cases, wrong, moved, elsewhere = (total(found, name) for name in ("cases", "wrong", "moved", "wrong_elsewhere"))
    return counted(
        "G6",
        "selection",
        statement,
        cases=cases,
        failures=wrong,
        test=f"every feature of random directed graphs, bit by bit; S is not the next feature's for {moved:.0f} of {cases:.0f}, "
        f"and gives a wrong median there for {elsewhere:.0f}",
        corrected=f"It is not the median for {wrong:.0f} of {cases:.0f} features." if wrong else None,
    )


def rules(result: JobResult) -> list[tuple[str, bool, tuple[float, ...], tuple[float, ...]]]:
    """(rule, whether it ranks rows, rows that matter, violations of additivity by degree)"""
    return [(name, name in RANKING, result.values(f"{name}_rows"), result.values(f"{name}_violations")) for name in RULES]


def grouped(cases: Sequence[tuple[str, int]]) -> str:
    """'sum of 2, 3, 4 and mean of 2, 3'"""
    names = dict.fromkeys(name for name, _ in cases)
    by_name = [f"{name} of {', '.join(str(n) for other, n in cases if other == name)}" for name in names]
    return " and ".join([", ".join(by_name[:-1]), by_name[-1]] if by_name[1:] else by_name) or "none"


def reason(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G6: whether comparing rows and having no matrix are one thing."""
    found = task(recipe, results, "additivity")
    if not found:
        return not_measured("G6", "reason", STATEMENTS["G6"])
    (result,) = found
    cases = [
        (name, place + 1, ranks and place > 0, rows[place] > 1, violations[place] > 0)
        for name, ranks, rows, violations in rules(result)
        for place in range(len(rows))
    ]
    mixing = [(name, n) for name, n, _, mixes, curved in cases if mixes and not curved]
    ranking = [(name, n) for name, n, ranks, _, curved in cases if ranks and not curved]
    neither = [(name, n) for name, n, ranks, _, curved in cases if curved and not ranks]
    known = all(math.isfinite(value) for _, _, rows, violations in rules(result) for value in (*rows, *violations))
    exceptions = len(ranking) + len(neither) if known else math.nan
    corrected = (
        "It has no fixed matrix because it is not additive; one that depends on X it has (see selection). Mixing rows is not the "
        f"reason: mixed and additive are {grouped(mixing)}. Nor is comparing them quite the same: additive although ranked, "
        f"{grouped(ranking)}; not additive although nothing is ranked, {grouped(neither)}."
    )
    verdict = counted(
        "G6",
        "reason",
        STATEMENTS["G6"],
        cases=len(cases),
        failures=exceptions,
        test=f"{', '.join(RULES)} of 1 to {len(result.values('pairs'))} neighbors: whether it ranks two or more rows, and "
        "whether it is additive on every pair of signals; the one should go with the other",
        corrected=corrected if exceptions else None,
    )
    return in_unit(verdict, "cases where the two do not go together")
