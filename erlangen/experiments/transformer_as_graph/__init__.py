"""Claims G9 and G11: a Transformer layer as a graph network on the complete graph, and what becomes of a graph's structure there.

G9 is counted, in float64, against `torch.nn.TransformerEncoderLayer`. G11 trains one network, a Transformer over edges, on
contextual block models; only the edges it attends along change. Dwivedi & Bresson (arXiv 2012.09699, 2020) made attention
along edges out of the same worry, that full attention does poorly where the topology matters and is not in the features.
`standard` takes about twelve minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from erlangen.records.runs import Claim, Job

TITLE = "Transformers as graph networks"
MEMORY_MB = 500

ARMS = (
    "self", "graph", "diluted", "random", "complete", "complete/walks", "complete/eigenvectors", "graph/eigenvectors",
    "self/eigenvectors",
)  # fmt: skip
"""What is attended to, and what is added to the features: return probabilities of walks, or eigenvectors of the Laplacian.

diluted: the graph's edges, and three random ones for each.
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """sizes: tokens of the layers compared in G9, for each of `draws` seeds.

    classes: of the block models; homophilies: share of edges within a class, to which 1 / classes is added, where an edge says
    nothing. nodes: of each graph, a new one for each seed. fit: training accuracy in percent, of the weights chosen by the
    validation nodes, that an arm must reach before a verdict compares it: an arm that sees features alone stops early, so it is
    not 100. margin: points of accuracy within which two arms count as equal; tolerance: the same for attention on edges over
    their share.
    """

    sizes: tuple[Annotated[int, Ge(1), Le(512)], ...] = (1, 2, 3, 5, 8, 16, 33)
    draws: Annotated[int, Ge(1), Le(1000)] = 10
    classes: tuple[Literal[2, 4], ...] = (2, 4)
    homophilies: tuple[Annotated[float, Ge(0), Le(1)], ...] = (0.1, 0.25, 0.5, 0.9)
    seeds: Annotated[int, Ge(1), Le(1000)] = 20
    nodes: Annotated[int, Ge(120), Le(5000)] = 300
    epochs: Annotated[int, Ge(1), Le(10_000)] = 80
    patience: Annotated[int, Ge(1)] = 20
    fit: Annotated[float, Ge(0), Le(100)] = 75.0
    margin: Annotated[float, Ge(0), Le(20)] = 2.0
    tolerance: Annotated[float, Gt(0), Le(1)] = 0.05

    def __post_init__(self) -> None:
        if not self.sizes or max(self.sizes) < 2:
            raise ValueError("sizes: one token has no other to see: ask for 2 or more as well, as in sizes=1,2,8")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: 2, 4 or both, each once, as in classes=2,4")
        if list(self.homophilies) != sorted(set(self.homophilies)):
            raise ValueError("homophilies: rising shares, each once, as in homophilies=0.1,0.5,0.9")
        for classes in self.classes:
            if len(points := self.points(classes)) < 3 or 1 / classes in (points[0], points[-1]):
                raise ValueError(f"homophilies: with {classes} classes, one below {1 / classes:g} and one above, at least")

    def points(self, classes: int) -> tuple[float, ...]:
        """The homophilies for so many classes, rising: those asked for and 1 / classes."""
        return tuple(sorted({*self.homophilies, 1 / classes}))


PRESETS = {
    "quick": Recipe(
        sizes=(1, 2, 5, 16), draws=1, classes=(2,), homophilies=(0.1, 0.9), seeds=5, nodes=160, epochs=20, patience=6,
        margin=5.0, tolerance=0.1,
    ),
    "standard": Recipe(),
}  # fmt: skip

COMPARED = {
    "homophilous": "edges against everyone, where neighbors are most alike",
    "heterophilous": "edges against everyone, where neighbors are least alike",
    "uninformative": "edges against everyone, where an edge says nothing of the class",
    "diluted": "edges against edges among three times as many random ones",
    "mask": "edges against as many edges of no meaning: structure or sparsity",
    "everyone": "everyone against nobody but itself: whether attention to all brings anything; over all homophilies",
    "walks": "everyone, told return probabilities, against everyone told nothing; over all homophilies",
    "eigenvectors": "everyone, told Laplacian eigenvectors, against everyone told nothing",
    "gap": "edges told nothing against everyone told the eigenvectors: whether the gap closes",
    "fair": "edges against everyone, both told the eigenvectors",
    "listening": "everyone against nobody but itself, both told the eigenvectors: whether attention uses them",
}
"""Comparisons of two arms, by part; `judge.py` says which arms and where."""

CLAIMS = (
    Claim(
        id="G9",
        statement="A Transformer layer is a graph network on the complete graph, with dot-product attention and self-loops; a "
        "causal one is a graph network on a directed graph.",
        how="torch's TransformerEncoderLayer, without dropout, against the layer over edges with its weights: outputs, "
        "attention, and the gradients of the input and of every weight, in float64. All relabelings of small graphs. The order "
        "in which attention ranks the tokens, for every pair of nodes that ask.",
        parts={
            "complete": "the whole layer on the complete graph",
            "causal": "the layer with a causal mask, on the directed graph",
            "loops": "whether the self-loops are needed",
            "additive": "whether additive GAT could be such a layer",
            "permutation": "which relabelings of the tokens the layer commutes with",
        },
    ),
    Claim(
        id="G11",
        statement="Attention to every node dilutes structure, so GAT is better on graphs.",
        how="One network, a Transformer of two layers over edges, with one set of first weights a seed, on contextual block "
        "models with features that alone give about 70 %; only the edges it attends along change, and what is added to the "
        "features. Two settings of dropout for every arm, chosen by the validation nodes. Accuracy on test nodes, paired by "
        "seed; attention on true edges against their share of those attended along.",
        parts={
            "dilution": "attention on true edges against their share, when everyone is attended to",
            "dilution/class": "the same against other nodes of the same classes",
            "dilution/eigenvectors": "the same, told the eigenvectors",
            **{f"{part}/{classes}": f"{text}; {classes} classes" for classes in (2, 4) for part, text in COMPARED.items()},
            "overall": "whether the edges are better everywhere",
        },
    ),
)


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """The exact checks by draw, a picture, then one job for each arm, block model and seed.

    On a CPU, float64 where counted and float32 where trained, whatever `precision` and `device` say.
    """
    name = "transformer-as-graph"
    sizes = ",".join(str(size) for size in recipe.sizes)
    exact = [
        Job(experiment=name, params={"task": task, **({"sizes": sizes} if task == "layer" else {})}, seed=seed, seconds=seconds)
        for seed in range(recipe.draws)
        for task, seconds in (("layer", 0.1 * len(recipe.sizes)), ("order", 0.2), ("relabel", 0.8))
    ]
    trained = [
        Job(
            experiment=name,
            params={
                "task": "train", "classes": classes, "homophily": homophily, "arm": arm, "nodes": recipe.nodes,
                "epochs": recipe.epochs, "patience": recipe.patience,
            },
            seed=seed,
            seconds=0.1 + 0.8 * (recipe.nodes / 300) * recipe.epochs / 80,
        )
        for seed in range(recipe.seeds)
        for classes in recipe.classes
        for homophily in recipe.points(classes)
        for arm in ARMS
    ]  # fmt: skip
    return [*exact, Job(experiment=name, params={"task": "picture"}, seconds=2.0), *trained]
