"""Graphs as matrices: which nodes the Laplacian changes. Nodes are counted from 1, as in the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from erlangen.experiments.graph_algebra import NODES, Recipe, said
from erlangen.experiments.graph_algebra.tasks import Matrices, Smooth, White
from erlangen.experiments.kit.counts import missing, numbers
from erlangen.experiments.kit.evidence import Evidence, by_seed
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Exact, Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.statistics.regions import within

ROUNDING = 1e-9  # of sums of a few products in float64
WHY = "a fifth of 25 %, the least by which d², the nearest simpler formula, misses d² + d at the degrees of this graph"

published = partial(published_numbers, "erlangen.experiments.graph_algebra")
"""The report's matrices, and the nodes that it says change most."""


def extreme(values: Sequence[float], pick: Callable[[Iterable[float]], float] = max) -> set[int]:
    """The nodes of the largest value, or of the least, but for rounding."""
    return {node for node, value in enumerate(values, 1) if abs(value - pick(values)) <= ROUNDING}


def listed(nodes: set[int]) -> str:
    """'2, 4 and 5'"""
    return " and ".join(", ".join(map(str, sorted(nodes))).rsplit(", ", 1))


def nodes(evidence: Evidence) -> list[Exact]:
    """G2: which nodes change most and least under random X, and which under the slowest-varying one."""
    change, smooth = (numbers(evidence.of(Smooth), f"{kind}_change") for kind in ("white", "smooth"))
    degree, stated = numbers(evidence.of(Matrices), "right_degree"), set(published()["stated_most_changed"])
    most, least, highest = extreme(change), extreme(change, min), extreme(degree)
    cases = min(map(len, (change, smooth, degree)))
    counted = partial(Exact, cases=cases, unit="nodes that do not fit", missing=missing(evidence, Matrices, Smooth))
    return [
        counted(
            **said("nodes that change most"),
            count=len((stated ^ most) | (stated ^ highest)),
            corrected=f"Under random X nodes {listed(most)} change most. The nodes of the highest degree, "
            f"{max(degree, default=0):.0f}, are {listed(highest)}.",
        ),
        counted(
            **said("node that changes least"),
            count=len(least ^ {1}),
            corrected=f"Under random X it is node {listed(least)}.",
        ),
        counted(
            **said("slowest-varying X"),
            count=len(extreme(smooth) & highest),
            note="LX measures how far a node is from its neighbors; the degree only says how many there are.",
        ),
    ]


def white(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """G2: E (LX)v² = d² + d for random X, at each node and at all of them."""
    drawn, degree = evidence.arm(White), numbers(evidence.of(Matrices), "right_degree")
    drawn = replace(drawn, missing=(*drawn.missing, *missing(evidence, Matrices)))
    unknown = (math.nan,) * len(NODES)
    expected = [d * d + d for d in degree or unknown]
    smooth = numbers(evidence.of(Smooth), "smooth_change")  # of a signal of norm 1: a random one has norm √N
    misses = [abs(len(smooth) * change / d - 1) > recipe.deviation for change, d in zip(smooth, expected, strict=False)]
    seen = Check(
        name="the comparison sees that d² + d is wrong for the slowest-varying X", passed=any(misses) if misses else None
    )
    parts = [
        Part(
            **said(f"random X, node {node}"),
            effect=by_seed(lambda result, at=node - 1: (result.values("change") or unknown)[at] / expected[at] - 1, drawn),
            region=within(recipe.deviation, why=WHY),
            unit="relative deviation from d² + d",
            checks=(seen,),
        )
        for node in NODES
    ]
    names = tuple(part.part for part in parts)
    return [AllOf(**said("random X"), parts=names), *parts]
