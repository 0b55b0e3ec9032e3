"""Depth, and the node itself: the parts that are counted, without any training."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.kit.counts import missing, total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import graph_title
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.oversmoothing import CLAIMS, QUOTES, Recipe
from erlangen.experiments.oversmoothing.tasks import Itself, Propagate
from erlangen.records.runs import JobResult

said = partial(wording, CLAIMS, QUOTES)


def of_all_nodes(evidence: Evidence, name: str) -> float:
    """A count over the nodes of undirected and acyclic graphs; NaN where it is missing."""
    return sum(total(evidence.of(Itself), f"{kind}_{name}") for kind in ("undirected", "acyclic"))


def itself(evidence: Evidence) -> list[Exact]:
    """Nodes that see themselves through one layer without B; and through two, where the walks of two edges say otherwise."""
    count = partial(of_all_nodes, evidence)
    results = evidence.of(Itself)
    astray = sum(abs(result.value("undirected_none_2") - result.value("undirected_listening")) for result in results)
    moved = "one node's features moved, in float64, without σ; undirected and acyclic graphs"
    exact = partial(Exact, cases=count("nodes"), missing=missing(evidence, Itself), test=moved)
    seen = {depth: Check("with B every node sees itself", count(f"root_{depth}") == count("nodes")) for depth in (1, 2)}
    return [
        exact(**said("one layer"), count=count("none_1"), unit="nodes that see themselves", checks=(seen[1],)),
        exact(**said("two layers"), count=astray + total(results, "acyclic_none_2"), unit="nodes that differ", checks=(seen[2],)),
    ]


def averaging(recipe: Recipe, evidence: Evidence) -> Exact:
    """Graphs whose energy outlasts `deep` rounds of averaging with B = I."""
    place = recipe.depths.index(recipe.deep) + 1  # energies start at depth 0

    def kept(result: JobResult) -> float:
        energies = result.values("energy")
        return energies[place] / energies[1] if len(energies) > place and energies[1] > 0 else math.nan

    root, none = (evidence.arm(Propagate, arm=arm) for arm in ("root", "none"))
    shares = root.values(kept).values()
    return Exact(
        **said("energy without weights"),
        cases=len(shares),
        count=math.nan if any(map(math.isnan, shares)) else sum(share > recipe.keep for share in shares),
        unit=f"graphs that keep more than {recipe.keep:g} of it",
        missing=root.missing,
        test="(D⁻¹A + I) / 2 applied once per layer",
        note=f"Of the energy of {recipe.depths[0]} layers, {recipe.deep} keep {root.mean(kept).estimate:.2g} on "
        f"{graph_title(recipe.data)}; without B {none.mean(kept).estimate:.2g}.",
    )
