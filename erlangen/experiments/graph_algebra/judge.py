"""Graphs as matrices: verdicts and answers. Nodes are counted from 1, as in the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.graph_algebra import Recipe, said
from erlangen.experiments.graph_algebra.laplacian import extreme, listed, nodes, published, white
from erlangen.experiments.graph_algebra.tasks import Matrices, Smooth, Walks
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.counts import missing, numbers, total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.records.runs import Answer, Verdict

COUNTS = ("cases", "entries_that_are_not_walks", "entries_that_are_not_paths")


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What powers of A count, and which nodes L changes."""
    adjacency = ("left_adjacency", "left_adjacency_squared", "right_adjacency")
    counting = [*walks(evidence), matrices(evidence, "adjacency matrices", adjacency)]
    changing = [*nodes(evidence), *white(recipe, evidence), matrices(evidence, "Laplacian matrix", ["right_laplacian"])]
    return decide([*counting, *changing])


def walks(evidence: Evidence) -> list[Exact]:
    """G1: Aⁿ counts walks, which are not paths."""
    cases, not_walks, not_paths = (total(evidence.of(Walks), name) for name in COUNTS)
    entries = partial(Exact, cases=cases, unit="entries that differ", missing=missing(evidence, Walks))
    walked, simple = (total(evidence.of(Walks), f"{kind}_by_length") for kind in ("walks", "paths"))
    return [
        entries(
            **said("paths"),
            count=not_paths,
            checks=(Check(name="some of the walks meet a node twice", passed=walked > simple),),
            corrected="It counts walks, which may meet a node twice: (A²)uu is the degree of u, and no path joins u to itself.",
        ),
        Exact(
            **said("walk 3-2-1"),
            cases=2,
            count=sum(has_other_walks(evidence, side) for side in ("left", "right")),
            unit="graphs with another walk, or with none",
            missing=missing(evidence, Matrices),
        ),
        entries(
            **said("walks"),
            count=not_walks,
            checks=(Check(name="the comparison sees that walks are not paths", passed=not_paths > 0),),
        ),
    ]


def has_other_walks(evidence: Evidence, side: str) -> float:
    """0 where 3-2-1 is a walk by A, and by A² the only one of two edges from node 3 to node 1, else 1; NaN if not measured."""
    a, squared = (numbers(evidence.of(Matrices), f"{side}_adjacency{suffix}") for suffix in ("", "_squared"))
    n = math.isqrt(len(a))
    return float(not a[2 * n + 1] * a[n] == squared[2 * n] == 1) if a and squared else math.nan


def matrices(evidence: Evidence, part: str, names: Sequence[str]) -> Exact:
    """A control: every entry of matrices that the report read off its figure, which are an input and not a claim."""
    ours = [numbers(evidence.of(Matrices), name) for name in names]
    entries = [pair for name, row in zip(names, ours, strict=True) for pair in zip(row, published()[name], strict=False)]
    return Exact(
        **said(part, "control"),
        cases=len(entries) if all(ours) else 0,
        count=sum(here != printed for here, printed in entries),
        unit="entries that differ",
        missing=missing(evidence, Matrices),
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """How many entries of Aⁿ are not what they are said to count; which nodes change most and least."""
    cases, not_walks, not_paths = (total(evidence.of(Walks), name) for name in COUNTS)
    change, degree = numbers(evidence.of(Smooth), "white_change"), numbers(evidence.of(Matrices), "right_degree")
    counts = (
        f"Powers of A count walks, not paths: of {cases:.0f} entries, {cases - not_walks:.0f} equal the number of walks and "
        f"{not_paths:.0f} differ from the number of paths, which meet no node twice."
        if not_walks == 0 and not_paths > 0
        else f"Of {cases:.0f} entries of Aⁿ, {not_paths:.0f} differ from the number of paths, {not_walks:.0f} from that of walks."
    )
    changes = (
        f"The report names nodes {listed(set(published()['stated_most_changed']))}; for random, independent X, nodes "
        f"{listed(extreme(change))} change most and node {listed(extreme(change, min))} least; the nodes of the highest degree "
        f"are {listed(extreme(degree))}."
    )
    if extreme(change) == extreme(degree) != set(published()["stated_most_changed"]):
        changes += " So the rule of the degree holds for such X, but not every node that the report names."
    return [answer("G1", verdicts, counts, figure="walks"), answer("G2", verdicts, changes, figure="graph")]
