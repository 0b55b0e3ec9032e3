"""Claims G7 and G8: by which weights a graph network listens to its neighbors, and whether learned ones make it robust to noise.

GCN, GAT, GATv2 and a GAT whose attention is frozen uniform, at one width, depth and tuning; noise on features, on edges, on both;
met in the test alone or in training too. The literature disagrees: TKDD 2025 (10.1145/3733605) finds GAT the most vulnerable,
arXiv 2412.15496 that it depends on which noise dominates. `standard` takes about half an hour on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.experiments.kit.graphs import check_graphs, graph_parameters, require_graphs
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.noisy_neighbors.tasks import LAYERS, Layer, Train, Weights
from erlangen.records.runs import Claim, Job

TITLE = "Attention among noisy neighbors"
QUESTION = "Does attention keep a graph network from listening to noisy neighbors, and does that make it more robust?"
MEMORY_MB = 600

Share = Annotated[float, Ge(0), Le(0.5)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """data: any of cora, blocks (block models, a new one for each seed), and paths of graphs of yours (.pt, .npz).

    shares: noise met in the test, as shares of the nodes and of the edges. in_training: noise met in training too; trainings
    grow with the square of their number. nodes: size of a block model. fit: training accuracy, in percent, that a net must
    reach at the noise it is trained with before it is compared. margin: points of accuracy lost per 10 % of noise by which two
    layers must differ for it to matter. suppression: attention on noisy neighbors, as a share of what equal weights would give
    them, up to which they count as suppressed.
    """

    data: tuple[str, ...] = ("blocks", "cora")
    seeds: Annotated[int, Ge(1), Le(1000)] = 20
    shares: tuple[Share, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    in_training: tuple[Share, ...] = (0.0, 0.25, 0.5)
    epochs: Annotated[int, Ge(1), Le(10_000)] = 200
    patience: Annotated[int, Ge(1)] = 30
    nodes: Annotated[int, Ge(100), Le(20_000)] = 600
    fit: Annotated[float, Ge(0), Le(100)] = 90.0
    margin: Annotated[float, Ge(0), Le(10)] = 0.3
    suppression: Annotated[float, Ge(0), Le(1)] = 0.9

    def __post_init__(self) -> None:
        check_graphs(self.data)
        for name, shares in (("shares", self.shares), ("in_training", self.in_training)):
            if len(shares) < 2 or shares[0] != 0 or list(shares) != sorted(set(shares)):
                raise ValueError(f"{name}: give two or more rising shares, the first of them 0, as in {name}=0,0.25,0.5")


PRESETS = {
    "quick": Recipe(
        data=("blocks",), seeds=6, shares=(0.0, 0.25, 0.5), in_training=(0.0, 0.5), epochs=60, patience=20, nodes=400, margin=0.6
    ),
    "standard": Recipe(),
}

NAMES = {"gcn": "GCN", "gat": "GAT", "gatv2": "GATv2", "uniform": "GAT with uniform attention"}
KINDS = {"nodes": "noisy features", "edges": "noisy edges", "both": "noisy features and edges"}
REGIMES = {"test": "in the test", "training": "in training"}
ALL = tuple(KINDS)

COMPARED: dict[str, tuple[Layer, Layer, tuple[str, ...]]] = {
    **{name: ("gat", "gcn", (kind,)) for kind, name in KINDS.items()},
    "attention as the cause": ("gat", "uniform", ALL),
    "GATv2": ("gatv2", "gcn", ALL),
}
"""Who is said to lose less than whom, over which kinds of noise."""

CLAIMS = (
    Claim(
        id="G7",
        statement="GCN treats its neighbors equally; GAT weighs them by learned weights that depend on their features.",
        how="The weights of every edge, exactly: equal at each node or not; before and after the features are permuted among the "
        "nodes; and whether the order of a node's neighbors by attention depends on the node that asks.",
        parts={
            "equal weights, mean form": "A graph convolution in mean form gives all neighbors of a node the same weight.",
            "unequal weights, Kipf and Welling": "A graph convolution in Kipf and Welling's form can give neighbors "
            "different weights, 1 / √(d_u d_v).",
            "feature-dependent weights": "When features are permuted among the nodes, the attention of GAT and of GATv2 changes "
            "on every edge, and GCN's weights change on none.",
            "order of neighbors, GAT": "GAT puts neighbors in the same order of attention whichever node asks.",
            "order of neighbors, GATv2": "GATv2's order of neighbors can depend on the node that asks.",
        },
    ),
    Claim(
        id="G8",
        statement="GAT suppresses noisy neighbors, so it is more robust to noise than GCN.",
        how="Accuracy at test nodes whose own features are clean, over noise of 0-50 %: features replaced by another node's, "
        "edges moved, both; slopes by least squares, paired by seed; all layers tuned over the same settings on the clean graph. "
        "Attention on noisy neighbors against their share of the neighbors, at nodes with both kinds. All of this is measured on "
        "each graph.",
        parts={
            **{
                f"{name}, {where}": f"With {'noise of all kinds' if kinds == ALL else name} {where}, {NAMES[better]} loses "
                f"less accuracy than {NAMES[worse]}."
                for name, (better, worse, kinds) in COMPARED.items()
                for where in REGIMES.values()
            },
            "attention on noisy features": "Neighbors with noisy features get clearly less of GAT's attention than equal weights "
            "would give them.",
            "attention on noisy edges": "Neighbors by noisy edges get clearly less of GAT's attention than equal weights would "
            "give them.",
        },
    ),
)

QUOTES = {
    "equal weights, mean form": "GCN treats neighbors equally (Eq. 6)",
    "feature-dependent weights": "GAT by learned, feature-dependent weights",
    **{part: "GAT suppresses noisy neighbors, so it is more robust" for part in CLAIMS[1].parts if not part.startswith("GATv2")},
}


def fetch(recipe: Recipe) -> None:
    """Have the graphs at hand before any job starts. Raises DataError where one cannot be had."""
    require_graphs(recipe.data)


def jobs(recipe: Recipe) -> list[Job]:
    """The exact checks, then a job for each graph, layer and seed: tune, train and test at every noise. Raises DataError."""
    trained = [
        job(
            task_of(Train, recipe, layer=layer, **graph_parameters(data, recipe.nodes)),
            seed=seed,
            seconds=seconds(recipe, data, layer),
        )
        for seed in range(recipe.seeds)
        for data in recipe.data
        for layer in LAYERS
    ]
    weights = [job(Weights(), seed=seed, seconds=0.3) for seed in range(recipe.seeds)]
    return weights + sorted(trained, key=lambda job: -job.seconds)


def seconds(recipe: Recipe, data: str, layer: Layer) -> float:
    """Of one job, on one core: the settings that are tried, then a training for each noise."""
    trainings = 4 + len(recipe.in_training) ** 2 - 1
    on_cora = {"gcn": 0.7, "gat": 1.4, "gatv2": 1.9, "uniform": 1.5}[layer] * recipe.epochs / 200
    return 1 + trainings * on_cora * (0.4 * recipe.nodes / 1000 if data == "blocks" else 1.0)
