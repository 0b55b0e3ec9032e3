"""Claims G7 and G8: by which weights a graph network listens to its neighbors, and whether learned ones make it robust to noise.

GCN, GAT, GATv2 and a GAT whose attention is frozen uniform, at one width, depth and tuning; noise on features, on edges, on both;
met in the test alone or in training too. The literature disagrees: TKDD 2025 (10.1145/3733605) finds GAT the most vulnerable,
arXiv 2412.15496 that it depends on which noise dominates. `standard` takes about half an hour on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.records.runs import Claim, Job

TITLE = "Attention among noisy neighbors"
MEMORY_MB = 600

LAYERS = ("gcn", "gat", "gatv2", "uniform")
KINDS = ("nodes", "edges", "both")
REGIMES = ("test", "training")

Share = Annotated[float, Ge(0), Le(0.5)]
Data = Literal["blocks", "cora"]

_SECONDS = {"gcn": 0.7, "gat": 1.4, "gatv2": 1.9, "uniform": 1.5}  # one training on Cora, one core
_BLOCKS = 0.4  # of that, for a block model of 1000 nodes


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """data: Cora, or block models of `nodes` nodes, a new one for each seed.

    shares: the noise met in the test, on nodes and on edges; in_training: the noise met in training too, as many more
    trainings squared. fit: training accuracy, in percent, that an arm must reach without noise before a verdict compares it.
    margin: points of accuracy lost per 10 % of noise within which two arms count as equally robust.
    """

    data: tuple[Data, ...] = ("blocks", "cora")
    seeds: Annotated[int, Ge(1), Le(1000)] = 20
    shares: tuple[Share, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    in_training: tuple[Share, ...] = (0.0, 0.25, 0.5)
    epochs: Annotated[int, Ge(1), Le(10_000)] = 200
    patience: Annotated[int, Ge(1)] = 30
    nodes: Annotated[int, Ge(100), Le(20_000)] = 600
    fit: Annotated[float, Ge(0), Le(100)] = 90.0
    margin: Annotated[float, Ge(0), Le(10)] = 0.3

    def __post_init__(self) -> None:
        if not self.data or len(set(self.data)) < len(self.data):
            raise ValueError("data: name each at most once, and one at least, as in data=blocks")
        for name, shares in (("shares", self.shares), ("in_training", self.in_training)):
            if len(shares) < 2 or shares[0] != 0 or list(shares) != sorted(set(shares)):
                raise ValueError(f"{name}: rising shares from 0 on, as in {name}=0,0.25,0.5")


PRESETS = {
    "quick": Recipe(
        data=("blocks",), seeds=6, shares=(0.0, 0.25, 0.5), in_training=(0.0, 0.5), epochs=60, patience=20, nodes=400, margin=0.6
    ),
    "standard": Recipe(),
}

_PARTS = {
    **{
        f"{kind}/{regime}": f"accuracy lost per 10 % noise on {kind} in {regime}, GAT against GCN"
        for kind in KINDS
        for regime in REGIMES
    },
    "attention/nodes": "attention on neighbors whose features are noise, against their share",
    "attention/edges": "attention on neighbors by edges that are noise, against their share",
    "cause": "whether the learned attention does it: GAT against GAT frozen uniform",
    "gatv2": "accuracy lost per 10 % noise, GATv2 against GCN",
}

CLAIMS = (
    Claim(
        id="G7",
        statement="GCN treats its neighbors equally; GAT weighs them by learned weights that depend on their features.",
        how="The weights of every edge, exactly: equal at each node or not; before and after the features are permuted among the "
        "nodes; and whether the order of a node's neighbors by attention depends on the node that asks.",
        parts={
            "equal/mean": "whether the mean form weighs neighbors equally",
            "equal/gcn": "whether Kipf and Welling's form does",
            "features": "whose weights change when features are permuted",
            "query/gat": "whether GAT's order of neighbors depends on the node that asks",
            "query/gatv2": "whether GATv2's does",
        },
    ),
    Claim(
        id="G8",
        statement="GAT suppresses noisy neighbors, so it is more robust to noise than GCN.",
        how="Accuracy at test nodes whose own features are clean, over noise of 0-50 %: features replaced by another node's, "
        "edges moved, both; slopes by least squares, paired by seed; all arms tuned over the same settings on the clean graph. "
        "Attention on noisy neighbors against their share of the neighbors, at nodes with both kinds.",
        parts={f"{data}/{part}": f"{text}; {data}" for data in ("blocks", "cora") for part, text in _PARTS.items()},
    ),
)


def fetch(recipe: Recipe) -> None:
    """Have the data at hand before any job starts. Raises DataError where it is not to be had."""
    if "cora" in recipe.data:
        from erlangen.data.planetoid import cora_folder

        cora_folder()


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """The exact checks, then one job for each data set, arm and seed: it is tuned, trained at every noise, tested at every noise.

    Sparse products in float32 on a CPU whatever `precision` and `device` say.
    """
    name = "noisy-neighbors"
    exact = [Job(experiment=name, params={"task": "weights"}, seed=seed, seconds=0.3) for seed in range(recipe.seeds)]
    trainings = 4 + len(recipe.in_training) ** 2 - 1
    size = {"blocks": _BLOCKS * recipe.nodes / 1000, "cora": 1.0}  # of Cora's seconds
    trained = [
        Job(
            experiment=name,
            params={
                "task": "train", "data": data, "layer": layer, "epochs": recipe.epochs, "patience": recipe.patience,
                "shares": text(recipe.shares), "in_training": text(recipe.in_training),
                **({"nodes": recipe.nodes} if data == "blocks" else {}),
            },
            seed=seed,
            seconds=1 + trainings * _SECONDS[layer] * recipe.epochs / 200 * size[data],
        )
        for seed in range(recipe.seeds)
        for data in recipe.data
        for layer in LAYERS
    ]  # fmt: skip
    return exact + sorted(trained, key=lambda job: -job.seconds)


def text(shares: tuple[float, ...]) -> str:
    """(0.0, 0.25) -> '0,0.25': a job's parameters are plain."""
    return ",".join(f"{share:g}" for share in shares)
