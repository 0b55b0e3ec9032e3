"""Counts as a whole number per node and one per pair attended: found from three graphs, checked on all.

    count = c + a N + b P      N: nodes.   P: edges, or all N² pairs.   c depends on neither, as the gradients of weights do not

The unknowns are solved for in fractions, so that "follows the law" is exact; all of them must be whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Literal, NamedTuple, TypeAlias

from erlangen.experiments.graph_cost.tasks import Count, Layer
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task

Pairs: TypeAlias = Literal["edges", "all"]
UNKNOWNS = 3


class Row(NamedTuple):
    """One graph: its nodes, its edges, and what was counted on it."""

    nodes: int
    edges: int
    counted: int

    def pairs(self, which: Pairs) -> int:
        return self.edges if which == "edges" else self.nodes**2


class Law(NamedTuple):
    """constant + per_node · N + per_pair · P"""

    constant: Fraction
    per_node: Fraction
    per_pair: Fraction

    def at(self, nodes: int, pairs: int) -> Fraction:
        return self.constant + self.per_node * nodes + self.per_pair * pairs


def rows(evidence: Evidence, layer: Layer, quantity: str) -> list[Row]:
    """A quantity of a layer on every graph; [] where one is missing or not a whole number."""
    found = []
    for result in evidence.of(Count, layer=layer):
        graphs, values = read_task(Count, result).graphs(), result.values(quantity)
        if len(values) != len(graphs) or not all(math.isfinite(value) and value == int(value) for value in values):
            return []
        found += [Row(n, n * degree, int(value)) for (n, degree), value in zip(graphs, values, strict=True)]
    return found


def law_of(found: Sequence[Row], which: Pairs) -> Law | None:
    """The law through the first three graphs that determine one; None where no three do, or no other is left to check it."""
    if len({(row.nodes, row.pairs(which)) for row in found}) <= UNKNOWNS:
        return None
    for trio in combinations(found, UNKNOWNS):
        points = [(row.nodes, row.pairs(which)) for row in trio]
        if (area := determinant(*points)) != 0:
            return solve(points, [row.counted for row in trio], area)
    return None


def determinant(*points: tuple[int, int]) -> int:
    """Twice the area of a triangle; 0 where its corners are on one line."""
    (x0, y0), (x1, y1), (x2, y2) = points
    return (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)


def solve(points: Sequence[tuple[int, int]], counts: Sequence[int], area: int) -> Law:
    """The plane through three points, by Cramer's rule."""
    (x0, y0), (x1, y1), (x2, y2) = points
    first, second = counts[1] - counts[0], counts[2] - counts[0]
    per_node = Fraction(first * (y2 - y0) - second * (y1 - y0), area)
    per_pair = Fraction((x1 - x0) * second - (x2 - x0) * first, area)
    return Law(counts[0] - per_node * x0 - per_pair * y0, per_node, per_pair)


def off_law(found: Sequence[Row], which: Pairs, grows: bool = True) -> int:
    """Graphs whose count is off the law; all of them where it has no whole numbers, or grows with the pairs where it should not.

    So they are where it does not grow though it should, or falls as the graph grows.
    """
    law = law_of(found, which)
    if law is None or (law.per_pair > 0) != grows or min(law.per_pair, law.per_node) < 0:
        return len(found)
    if any(number.denominator != 1 for number in law):
        return len(found)
    return sum(law.at(row.nodes, row.pairs(which)) != row.counted for row in found)
