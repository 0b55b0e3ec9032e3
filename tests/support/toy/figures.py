"""The toy's figure: a table."""

from __future__ import annotations

from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Figure
from support.toy import Recipe
from support.toy.tasks import Toy


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    rows = tuple((result.seed, result.value("sum")) for result in evidence.of(Toy))
    return [Figure(name="sums", title="Sums", caption="By seed.", columns=("seed", "sum"), rows=rows)]
