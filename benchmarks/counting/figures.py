"""None."""

from __future__ import annotations

from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Figure

from . import Recipe


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    return []
