"""Claims G1 and G2: what powers of the adjacency and the Laplacian say of a graph.

The report's two graphs, 5 and 6 nodes. Both presets take seconds: most of it is counted, not sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.records.runs import Claim, Job

TITLE = "Graphs as matrices"
MEMORY_MB = 400


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """length: walks of 1 to so many edges are listed one by one. Each of `seeds` draws `draws` random signals."""

    length: Annotated[int, Ge(1), Le(9)] = 6
    seeds: Annotated[int, Ge(1), Le(10_000)] = 40
    draws: Annotated[int, Ge(1), Le(10_000_000)] = 20_000


PRESETS = {"quick": Recipe(length=5, seeds=20, draws=5_000), "standard": Recipe(length=7, seeds=100, draws=100_000)}

CLAIMS = (
    Claim(
        id="G1",
        statement="The adjacency of the two graphs; (Aⁿ)uv counts the paths of length n between u and v.",
        how="Adjacency and its square against the report's matrices, entry by entry. Every walk of up to n edges is listed by "
        "following edges, and counted with and without those that meet a node twice; both against Aⁿ in exact integers.",
        parts={
            "adjacency": "A and A² of the drawings",
            "paths": "whether Aⁿ counts paths",
            "walks": "whether Aⁿ counts walks",
        },
    ),
    Claim(
        id="G2",
        statement="The Laplacian of the right graph; the nodes that change most under LX are 2, 3 and 5, those of degree 3.",
        how="L against the report's matrix; the expected change of every node under white X in closed form and by simulation; "
        "then X for which another node changes most.",
        parts={
            "laplacian": "L of the drawing",
            "nodes": "which nodes change most under white X",
            "white": "E (LX)v² = d² + d for white X",
            "smooth": "whether the nodes of highest degree change most under any X",
        },
    ),
)


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """Three that count, and a draw for each seed. All in exact integers or float64: `precision` and `device` change nothing."""
    name = "graph-algebra"
    counting = [
        Job(experiment=name, params={"task": "matrices"}, seconds=0.2),
        Job(experiment=name, params={"task": "walks", "length": recipe.length}, seconds=0.5),
        Job(experiment=name, params={"task": "smooth"}, seconds=0.2),
    ]
    drawing = [
        Job(experiment=name, params={"task": "white", "draws": recipe.draws}, seed=seed, seconds=0.05 + recipe.draws / 2e6)
        for seed in range(recipe.seeds)
    ]
    return counting + drawing
