"""Claim G3: what the self term B does in h' = σ(W·mean + B·h), and whether it prevents over-smoothing.

Known: GraphSAGE, which has B, falls to 31.9 % on Cora at 32 layers (Rong et al., "DropEdge", ICLR 2020, table of depths).
`standard` takes about half an hour on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.experiments.kit.graphs import check_graphs, graph_parameters, require_graphs
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.oversmoothing.tasks import ARMS, PROPAGATED, Itself, Propagate, Train
from erlangen.records.runs import Claim, Job

TITLE = "Depth, and the node itself"
QUESTION = "Does a graph convolution need B to see the node itself, and does B keep deep nets from over-smoothing?"
MEMORY_MB = 700

Depth = Annotated[int, Ge(1), Le(256)]

_BLOCKS = 0.5  # of Cora's seconds, for a block model of 1000 nodes


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """data: cora, blocks (block models, a new one for each seed), or the path of a graph of yours (.pt, .npz).

    depths: numbers of layers, rising; the first is called shallow. deep: the one of them that is compared with the first.
    nodes: size of a block model. fit: training accuracy, in percent, that every net must reach at the depths compared.
    keep: share of the energy of shallow nets below which deep ones count as over-smoothed. tolerance: difference of two
    accuracies, in points, that does not matter.
    """

    data: str = "cora"
    seeds: Annotated[int, Ge(1), Le(1000)] = 20
    depths: tuple[Depth, ...] = (2, 4, 8, 16, 32, 64)
    deep: Depth = 32
    epochs: Annotated[int, Ge(1), Le(10_000)] = 160
    patience: Annotated[int, Ge(1)] = 40
    lr: Annotated[float, Ge(1e-6), Le(1)] = 0.001
    width: Annotated[int, Ge(2), Le(1024)] = 32
    nodes: Annotated[int, Ge(100), Le(20_000)] = 1000
    fit: Annotated[float, Ge(0), Le(100)] = 90.0
    keep: Annotated[float, Ge(0), Le(1)] = 0.5
    tolerance: Annotated[float, Ge(0), Le(100)] = 3.0

    def __post_init__(self) -> None:
        check_graphs([self.data])
        if len(self.depths) < 2 or list(self.depths) != sorted(set(self.depths)):
            raise ValueError("depths: name two or more in rising order, as in depths=2,8,32")
        if self.deep not in self.depths[1:]:
            raise ValueError(f"deep: choose one of the depths after the first, {', '.join(map(str, self.depths[1:]))}")


PRESETS = {
    "quick": Recipe(data="blocks", seeds=5, depths=(2, 8, 32), epochs=100, patience=20, lr=0.003, nodes=300),
    "standard": Recipe(),
}

CLAIMS = (
    Claim(
        id="G3",
        statement="h' = σ(W·mean + B·h) needs B to see the node itself, and B prevents over-smoothing.",
        how="Which outputs change when one node's features do is counted exactly. Smoothing is measured over depth: Dirichlet "
        "energy (unnormalized Laplacian) over ‖H‖², mean cosine distance and accuracy, without weights, with random weights and "
        "after training. Five arms learn alike: with B, without, with self-loops in its place, without it but with as many "
        "parameters, and without neighbors. The learning rate is the one at which deep nets did best in a trial of all arms.",
        parts={
            "one layer": "Without B or self-loops, one layer's output at a node does not depend on that node's features.",
            "two layers": "Two layers without B see the node itself wherever a walk of two edges returns to it.",
            "energy without weights": "Averaging alone over-smooths: even with B = I it leaves little of the Dirichlet energy.",
            "energy with random weights": "Before training, deep nets with B have little of shallow ones' Dirichlet energy.",
            "energy after training": "After training, deep nets with B keep shallow ones' Dirichlet energy.",
            "accuracy of deep nets": "Deep nets with B are as accurate as shallow ones.",
            "deep, B against none": "Deep nets with B are more accurate than deep nets without B.",
            "deep, B against self-loops": "Deep nets with B are more accurate than deep nets with self-loops in its place.",
            "deep, B against parameters": "Deep nets with B are more accurate than deep nets with as many parameters without it.",
            "depth alone": "Depth alone does no harm: without neighbors to average, deep nets fit as well as shallow ones.",
        },
    ),
)

OF_NETS = ("energy after training", "accuracy of deep nets", "deep, B against none")
QUOTES = {
    "one layer": "Without B the update is independent of h_v",
    **dict.fromkeys(OF_NETS, "B prevents over-smoothing."),
}


def fetch(recipe: Recipe) -> None:
    """Have the graph at hand before any job starts. Raises DataError where it cannot be had."""
    require_graphs([recipe.data])


def jobs(recipe: Recipe) -> list[Job]:
    """The exact checks, propagation without weights, and a job for every net, the deepest first. Raises DataError."""
    graph = graph_parameters(recipe.data, recipe.nodes)
    size = _BLOCKS * recipe.nodes / 1000 if recipe.data == "blocks" else 1.0
    itself = [job(Itself(), seed=seed, seconds=0.3) for seed in range(recipe.seeds)]
    propagated = [
        job(task_of(Propagate, recipe, arm=arm, **graph), seed=seed, seconds=2 * size)
        for seed in range(recipe.seeds if recipe.data == "blocks" else 1)  # any other graph is the same for every seed
        for arm in PROPAGATED
    ]
    trained = [
        job(task_of(Train, recipe, arm=arm, depth=depth, **graph), seed=seed, seconds=size * seconds(recipe, depth))
        for seed in range(recipe.seeds)
        for depth in recipe.depths
        for arm in ARMS
    ]
    return itself + propagated + sorted(trained, key=lambda job: -job.seconds)


def seconds(recipe: Recipe, depth: int) -> float:
    """Of one training on Cora, on one core."""
    return (0.6 + 0.25 * depth) * recipe.epochs / 160
