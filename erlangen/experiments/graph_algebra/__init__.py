"""Claims G1 and G2: what powers of the adjacency matrix count, and which nodes the Laplacian changes.

The report's two graphs have 5 and 6 nodes. Both presets take seconds: most of it is counted, not sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from annotated_types import Ge, Gt, Le

from erlangen.claims import statement_of
from erlangen.experiments.graph_algebra.tasks import Matrices, Smooth, Walks, White
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import Claim, Job

TITLE = "Graphs as matrices"
QUESTION = "What do powers of the adjacency matrix count, and which nodes does the Laplacian change most?"
MEMORY_MB = 400
NODES = range(1, 7)  # of the right graph, counted from 1 as in the report


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """length: walks of 1 to so many edges are listed one by one. draws: random signals for each seed.

    deviation: share by which the mean change of a node under random X may miss d² + d.
    """

    length: Annotated[int, Ge(1), Le(9)] = 6
    seeds: Annotated[int, Ge(1), Le(10_000)] = 40
    draws: Annotated[int, Ge(1), Le(10_000_000)] = 20_000
    deviation: Annotated[float, Gt(0), Le(1)] = 0.05


PRESETS = {"quick": Recipe(length=5, seeds=20, draws=5_000), "standard": Recipe(length=7, seeds=100, draws=100_000)}

CLAIMS = (
    Claim(
        id="G1",
        statement=statement_of("G1"),
        how="Every walk of up to n edges is listed by following edges, and counted with and without those that meet a node "
        "twice. Both counts are compared with Aⁿ in exact integers.",
        parts={
            "paths": "The entry (u, v) of Aⁿ counts the paths of length n between u and v.",
            "walk 3-2-1": "In both graphs 3-2-1 is the one walk of two edges from node 3 to node 1.",
            "walks": "The entry (u, v) of Aⁿ counts the walks of n edges from u to v.",
            "adjacency matrices": "The graphs are the report's: its adjacency matrices are an input, not a claim.",
        },
    ),
    Claim(
        id="G2",
        statement=statement_of("G2"),
        how="The expected squared change of each node of the right graph under random X (independent entries of mean 0 and "
        "variance 1), in closed form and by simulation, and its change under the slowest-varying X: the eigenvector of the "
        "smallest nonzero eigenvalue of L.",
        parts={
            "nodes that change most": "The nodes that change most under LX are 2, 3 and 5, those of degree 3.",
            "node that changes least": "Node 1 changes least under LX, if X is random and independent.",
            "slowest-varying X": "Under the slowest-varying X, which is not constant, a node of lower degree changes most.",
            "random X": "Under random X the expected squared change of every node of degree d is d² + d.",
            **{
                f"random X, node {v}": f"Under random X node {v}, of degree d, has the expected squared change d² + d."
                for v in NODES
            },
            "Laplacian matrix": "Every entry of L = D − A of the right graph is the same as in the report.",
        },
    ),
)
QUOTES = {
    "paths": "(Aⁿ)uv counts paths of length n",
    "walk 3-2-1": "the walk 3-2-1",
    "nodes that change most": "the nodes that change most are 2, 3 and 5, those of degree 3",
    "node that changes least": "node 1 changes least",
}
said = partial(wording, CLAIMS, QUOTES)


def jobs(recipe: Recipe) -> list[Job]:
    """Three that count, and one that draws for each seed. All compute in exact integers or in float64."""
    counting = [job(Matrices(), seconds=0.2), job(task_of(Walks, recipe), seconds=0.5), job(Smooth(), seconds=0.2)]
    white, seconds = task_of(White, recipe), 0.05 + recipe.draws / 2e6
    return counting + [job(white, seed=seed, seconds=seconds) for seed in range(recipe.seeds)]
