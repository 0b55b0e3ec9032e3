"""Graphs as matrices: verdicts and figures. Nodes are counted from 1 in words, as the report does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.graph_algebra import CLAIMS, Recipe
from erlangen.experiments.graph_algebra.figures import changes, lengths, picture, white_intervals
from erlangen.experiments.kit.judging import counted, not_measured, published_numbers
from erlangen.records.runs import Figure, Findings, JobResult, Outcome, Verdict

STATEMENTS = {claim.id: claim.statement for claim in CLAIMS}
TOLERANCE = 1e-9  # of sums of a few products in float64

ASKED = "What do powers of the adjacency count, and which nodes does the Laplacian change most?"


published = partial(published_numbers, "erlangen.experiments.graph_algebra")
"""The report's matrices."""


def task(results: Sequence[JobResult], name: str) -> list[JobResult]:
    return sorted((result for result in results if result.params["task"] == name), key=lambda result: result.seed)


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """Seven parts; those whose jobs failed are `not measured`."""
    found = [*adjacency_and_laplacian(task(results, "matrices")), *walks(task(results, "walks"))]
    found += [*nodes(task(results, "matrices"), task(results, "smooth")), white(recipe, task(results, "white"), results)]
    return sorted(found, key=lambda verdict: verdict.claim)


def missing(claim: str, *parts: str) -> list[Verdict]:
    return [not_measured(claim, part, STATEMENTS[claim]) for part in parts]


def adjacency_and_laplacian(found: list[JobResult]) -> list[Verdict]:
    """G1, G2: every entry of the matrices that the report prints."""
    if not found:
        return missing("G1", "adjacency") + missing("G2", "laplacian")
    (result,) = found
    judged = []
    for claim, part, names in (
        ("G1", "adjacency", ("left_adjacency", "left_adjacency_squared", "right_adjacency")),
        ("G2", "laplacian", ("right_laplacian",)),
    ):
        pairs = [(result.values(name), tuple(published()[name])) for name in names]
        wrong = sum(a != b for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))
        cases = sum(len(theirs) for _, theirs in pairs)
        statement = f"The matrices are those of the drawing: {', '.join(name.replace('_', ' ') for name in names)}."
        judged.append(counted(claim, part, statement, cases=cases, failures=wrong, test="entry by entry against the report's"))
    return judged


def walks(found: list[JobResult]) -> list[Verdict]:
    """G1: Aⁿ counts walks, which is not paths."""
    if not found:
        return missing("G1", "walks", "paths")
    (result,) = found
    cases = result.value("cases")
    walked, simple = result.values("walks_by_length"), result.values("paths_by_length")
    compared = ", ".join(f"{n}: {w:.0f} and {p:.0f}" for n, (w, p) in enumerate(zip(walked, simple, strict=True), 1))
    listed = f"both graphs, all pairs, every walk listed by following edges; walks and paths by length {compared}"
    repeats = (
        "It counts walks, which may meet a node again: (A²)uu is the degree of u, though no path leads from u to u. Only for "
        "n = 1 do the two agree on a graph without self-loops."
    )
    wrong, others = result.value("entries_that_are_not_walks"), result.value("entries_that_are_not_paths")
    return [
        counted("G1", "walks", "(Aⁿ)uv counts the walks of n edges from u to v.", cases=cases, failures=wrong, test=listed),
        counted(
            "G1",
            "paths",
            "(Aⁿ)uv counts the paths of length n between u and v.",
            cases=cases,
            failures=others,
            test=listed,
            corrected=repeats if others else None,
        ),
    ]


def nodes(matrices: list[JobResult], smooth: list[JobResult]) -> list[Verdict]:
    """G2: which nodes change most, under white X and under a smooth one."""
    if not matrices or not smooth:
        return missing("G2", "nodes", "smooth")
    degree, change = matrices[0].values("right_degree"), smooth[0].values("white_change")
    most = sorted(node + 1 for node, value in enumerate(change) if value > max(change) - TOLERANCE)
    highest = sorted(node + 1 for node, value in enumerate(degree) if value == max(degree))
    stated = published()["stated_most_changed"]
    other = smooth[0].values("smooth_change")
    winner = max(range(len(other)), key=lambda node: other[node])
    apart, beaten = len(set(stated) ^ set(most)), winner + 1 not in highest
    in_words = f"nodes {', '.join(map(str, most[:-1]))} and {most[-1]}"
    as_measured = (
        f"For white X it is {in_words}, those of degree 3, as the report's own degree matrix has it. Node 3 has degree "
        f"{degree[2]:.0f}."
    )
    turned = (
        f"Under a smooth X the order turns: here node {winner + 1}, of degree {degree[winner]:.0f}, changes most. LX measures "
        "how far a node is from its neighbors, degree only how many there are."
    )
    return [
        counted(
            "G2",
            "nodes",
            STATEMENTS["G2"],
            cases=len(change),
            failures=float(apart),
            test=f"expected change under white X, the diagonal of L Lᵀ: {', '.join(f'{value:g}' for value in change)}; degree 3 "
            f"at {', '.join(map(str, highest))}; nodes counted from 1",
            corrected=as_measured if apart else None,
        ),
        counted(
            "G2",
            "smooth",
            "Whatever X is, a node of the highest degree changes most.",
            cases=1,
            failures=float(beaten),
            test=f"X the eigenvector of L's second eigenvalue, {smooth[0].value('second_eigenvalue'):.3f}: squared changes "
            f"{', '.join(f'{value:.3f}' for value in other)}",
            corrected=turned if beaten else None,
        ),
    ]


def white(recipe: Recipe, found: list[JobResult], results: Sequence[JobResult]) -> Verdict:
    """G2: the closed form d² + d against simulation."""
    matrices = task(results, "matrices")
    statement = "For white X the expected squared change of a node of degree d is d² + d."
    if len(found) < recipe.seeds or not matrices:
        return not_measured("G2", "white", statement, "statistical")
    expected = [d * d + d for d in matrices[0].values("right_degree")]
    intervals = white_intervals(recipe, found)
    if not all(math.isfinite(interval.estimate) for interval in intervals):
        return not_measured("G2", "white", statement, "statistical")
    missed = [
        node + 1 for node, (interval, value) in enumerate(zip(intervals, expected, strict=True)) if interval.excludes(value)
    ]
    worst, value = max(zip(intervals, expected, strict=True), key=lambda pair: abs(pair[0].estimate - pair[1]))
    verdict: Outcome = "inconclusive" if math.isnan(worst.low) else "refuted" if missed else "supported"
    return Verdict(
        claim="G2",
        part="white",
        kind="statistical",
        statement=statement,
        verdict=verdict,
        effect=worst.estimate - value,
        unit="simulated - closed form, the largest difference of a node",
        interval=None if math.isnan(worst.low) else (worst.low - value, worst.high - value),
        n=worst.n,
        test=f"t intervals over {worst.n} seeds of {recipe.draws} signals each, six nodes together at 95 % (Bonferroni): all "
        "must hold the closed form",
        measured=worst.estimate,
        next_step="more seeds" if verdict == "inconclusive" else "",
    )


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    matrices, counts = task(results, "matrices"), task(results, "walks")
    drawn, smooth = task(results, "white"), task(results, "smooth")
    shown: list[Figure] = []
    if matrices and smooth:
        shown += [picture(matrices[0], smooth[0])]
    if matrices and drawn:
        shown.append(changes(recipe, matrices[0], drawn))
    if counts:
        shown.append(lengths(counts[0]))
    refuted = ", ".join(f"{verdict.claim} {verdict.part}" for verdict in verdicts if verdict.verdict == "refuted")
    found = f"{len(verdicts)} parts were judged; refuted as stated: {refuted or 'none'}."
    if counts:
        result = counts[0]
        found = (
            f"Powers of A count walks: {result.value('entries_that_are_not_paths'):.0f} of {result.value('cases'):.0f} "
            f"entries differ from the number of paths. {found}"
        )
    return Findings(asked=ASKED, found=found, figures=tuple(shown))
