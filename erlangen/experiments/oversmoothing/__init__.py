"""Claim G3: what the self term B does in h' = σ(W·mean + B·h), and whether it prevents over-smoothing.

Known: GraphSAGE, which has B, falls to 31.9 % on Cora at 32 layers (Rong et al., "DropEdge", ICLR 2020, table of depths).
`standard` takes about half an hour on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.records.runs import Claim, Job

TITLE = "Depth, and the node itself"
MEMORY_MB = 700

ARMS = ("none", "root", "loops", "wide", "alone")
PROPAGATED = ("none", "root", "loops")  # without weights there is nothing to widen

Depth = Annotated[int, Ge(1), Le(256)]

_SECONDS_PER_LAYER = 0.25  # of one training on Cora, one core
_BLOCKS = 0.5  # of that, for a block model of 1000 nodes


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """data: Cora, or block models of `nodes` nodes, a new one for each seed.

    Parts compare the first of `depths` with `deep`, one of them. fit: training accuracy, in percent, that every arm must reach
    at the first. keep: share of its energy that a net must keep from the first to `deep`; tolerance: points it may lose.
    """

    data: Literal["blocks", "cora"] = "cora"
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
        if len(self.depths) < 2 or list(self.depths) != sorted(set(self.depths)):
            raise ValueError("depths: two or more, rising, as in depths=2,8,32")
        if self.deep not in self.depths[1:]:
            raise ValueError(f"deep: {self.deep} is none of the depths after the first: {', '.join(map(str, self.depths[1:]))}")


PRESETS = {
    "quick": Recipe(data="blocks", seeds=5, depths=(2, 8, 32), epochs=100, patience=20, lr=0.003, nodes=300),
    "standard": Recipe(),
}

CLAIMS = (
    Claim(
        id="G3",
        statement="h' = σ(W·mean + B·h) needs B to see the node itself, and B prevents over-smoothing.",
        how="Itself: which outputs change when one node's features do, exactly. Smoothing: Dirichlet energy (unnormalized "
        "Laplacian) over ‖H‖², mean average distance and accuracy over depth, without weights, with random ones, and trained; "
        "with B, without, with self-loops in its place, without but as many parameters, and without neighbors. All arms learn "
        "alike: the learning rate is the one at which deep nets did best in a trial of all arms.",
        parts={
            "self": "whether one layer without B sees the node itself",
            "two-layers": "whether two layers without B do",
            "propagate": "without weights: whether B = I keeps the energy",
            "random": "with random weights: whether B keeps the energy",
            "trained": "trained: whether B keeps the energy",
            "accuracy": "trained: whether a deep net with B is as accurate as a shallow one",
            "better": "trained, deep: B against none",
            "loops": "trained, deep: B against self-loops",
            "parameters": "trained, deep: B against as many parameters without it",
            "cause": "whether depth does no harm where no neighbors are averaged",
        },
    ),
)


def fetch(recipe: Recipe) -> None:
    """Have the data at hand before any job starts. Raises DataError where it is not to be had."""
    if recipe.data == "cora":
        from erlangen.data.planetoid import cora_folder

        cora_folder()


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """The exact checks, propagation without weights, and a job for every net: the deepest first.

    Sparse products in float32 on a CPU whatever `precision` and `device` say.
    """
    name = "oversmoothing"
    size = {"blocks": _BLOCKS * recipe.nodes / 1000, "cora": 1.0}[recipe.data]  # of Cora's seconds
    drawn = {"nodes": recipe.nodes} if recipe.data == "blocks" else {}  # block models: a graph of its own for each seed
    exact = [Job(experiment=name, params={"task": "itself"}, seed=seed, seconds=0.3) for seed in range(recipe.seeds)]
    propagated = [
        Job(
            experiment=name, seed=seed, seconds=2 * size,
            params={"task": "propagate", "data": recipe.data, "arm": arm, "depths": text(recipe.depths), **drawn},
        )
        for seed in range(recipe.seeds if drawn else 1)
        for arm in PROPAGATED
    ]  # fmt: skip
    trained = [
        Job(
            experiment=name,
            params={
                "task": "train", "data": recipe.data, "arm": arm, "depth": depth, "width": recipe.width, "lr": recipe.lr,
                "epochs": recipe.epochs, "patience": recipe.patience, **drawn,
            },
            seed=seed,
            seconds=(0.6 + depth * _SECONDS_PER_LAYER) * size * recipe.epochs / 160,
        )
        for seed in range(recipe.seeds)
        for depth in recipe.depths
        for arm in ARMS
    ]  # fmt: skip
    return exact + propagated + sorted(trained, key=lambda job: -job.seconds)


def text(depths: tuple[int, ...]) -> str:
    """(2, 8) -> '2,8': a job's parameters are plain."""
    return ",".join(map(str, depths))
