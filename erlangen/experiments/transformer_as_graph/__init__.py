"""Claims G9 and G11: a Transformer layer as a graph network on the complete graph, and what becomes of a graph's structure there.

G9 is counted, in float64, against `torch.nn.TransformerEncoderLayer`. G11 compares GAT with a Transformer that attends to every
node, on contextual block models and on Cora; and, to tell what the edges are worth alone, that Transformer with itself when it
attends along the edges. Dwivedi & Bresson (arXiv 2012.09699, 2020) restricted attention to edges because full attention does
poorly where the topology matters and is not in the features. `standard` takes about fifteen minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Annotated, get_args

from annotated_types import Ge, Gt, Le

from erlangen.claims import statement_of
from erlangen.experiments.kit.sources import require
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.transformer_as_graph.comparisons import COMPARISONS, ON_CORA, PLACES, Where
from erlangen.experiments.transformer_as_graph.tasks import ArmName, Cora, Layer, Order, Picture, Relabel, Train
from erlangen.records.runs import Claim, Job

TITLE = "Transformers as graph networks"
QUESTION = "Is a Transformer layer a graph network, and what does attention to every node make of a graph's structure?"
MEMORY_MB = 1000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is compared, on how many graphs, and the edges of the verdicts.

    sizes: tokens of the layers compared in G9. draws: seeds of that comparison.
    classes: of the block models; homophilies: share of edges within a class, to which 1 / classes is added, where an edge says
    nothing. nodes: of each graph, a new one for each seed.
    cora_seeds: trainings of each arm on Cora, which takes a minute each where every node is attended to; 0 leaves Cora out.
    epochs: of a Transformer at most; GAT trains for twice as many. patience: epochs without a gain after which training stops.
    fit: mean training accuracy in percent that an arm must reach before a verdict compares it: of the weights chosen by the
    validation nodes, and so not 100; of GAT, for which they choose very early where it learns nothing that holds for other
    nodes, of those chosen by the training nodes.
    margin: smallest difference in points of test accuracy that matters; tolerance: smallest preference for true edges that
    matters, relative to what attention would give them without one.
    """

    sizes: tuple[Annotated[int, Ge(1), Le(512)], ...] = (1, 2, 3, 5, 8, 16, 33)
    draws: Annotated[int, Ge(1), Le(1000)] = 10
    classes: tuple[int, ...] = (2, 4)
    homophilies: tuple[Annotated[float, Ge(0), Le(1)], ...] = (0.1, 0.25, 0.5, 0.9)
    seeds: Annotated[int, Ge(1), Le(1000)] = 20
    nodes: Annotated[int, Ge(120), Le(5000)] = 300
    epochs: Annotated[int, Ge(1), Le(10_000)] = 80
    patience: Annotated[int, Ge(1)] = 20
    cora_seeds: Annotated[int, Ge(0), Le(100)] = 10
    fit: Annotated[float, Ge(0), Le(100)] = 75.0
    margin: Annotated[float, Ge(0), Le(20)] = 2.0
    tolerance: Annotated[float, Gt(0), Le(1)] = 0.05

    def __post_init__(self) -> None:
        if not self.sizes or max(self.sizes) < 2:
            raise ValueError("sizes: one token has no other to see: ask for 2 or more as well, as in sizes=1,2,8")
        if self.classes not in ((2,), (4,), (2, 4)):
            raise ValueError("classes: 2, 4 or both, rising, as in classes=2,4")
        if list(self.homophilies) != sorted(set(self.homophilies)):
            raise ValueError("homophilies: rising shares, each once, as in homophilies=0.1,0.5,0.9")
        for classes in self.classes:
            if len(points := self.points(classes)) < 3 or 1 / classes in (points[0], points[-1]):
                raise ValueError(f"homophilies: with {classes} classes, one below {1 / classes:g} and one above, at least")

    def points(self, classes: int) -> tuple[float, ...]:
        """The homophilies for so many classes, rising: those asked for and 1 / classes."""
        return tuple(sorted({*self.homophilies, 1 / classes}))

    def places(self, classes: int, where: Where) -> tuple[float, ...]:
        """The homophilies at one of `PLACES`."""
        points = self.points(classes)
        return {"most": points[-1:], "least": points[:1], "nothing": (1 / classes,), "all": points}[where]


PRESETS = {
    "quick": Recipe(
        sizes=(1, 2, 5, 16), draws=1, homophilies=(0.1, 0.9), seeds=5, nodes=160, epochs=20, patience=6, cora_seeds=0,
        margin=5.0, tolerance=0.1,
    ),
    "standard": Recipe(),
}  # fmt: skip

CLAIMS = (
    Claim(
        id="G9",
        statement=statement_of("G9"),
        how="torch's TransformerEncoderLayer, without dropout, against the layer over edges with its weights: outputs, "
        "attention, and the gradients of the input and of every weight, in float64. All relabelings of small graphs. The order "
        "in which attention ranks the tokens, for every pair of nodes that ask.",
        parts={
            "complete graph": "A Transformer layer is a graph network on the complete graph.",
            "causal mask": "With a causal mask, the layer is a graph network on a directed graph whose edges never lead back.",
            "self-loops": "Without its self-loops the complete graph gives a different layer.",
            "additive attention": "GAT's attention cannot be a Transformer's: every node ranks the tokens in the same order.",
            "relabeling": "The layer commutes with a relabeling of its tokens if and only if it keeps the graph: with all of "
            "them on the complete graph, with none but the identity on the causal one.",
        },
    ),
    Claim(
        id="G11",
        statement=statement_of("G11"),
        how="GAT, as published, against a Transformer that attends to every node, on contextual block models with features that "
        "alone give about 70 %, and on Cora. To tell what the edges alone are worth, the Transformer also attends along them, "
        "with the same initial weights; and features are added that encode the graph. Two settings of dropout for every arm, "
        "chosen by the validation nodes. Accuracy on test nodes, paired by seed; attention on true edges against their share of "
        "those attended along.",
        parts={
            "attention on true edges": "If every node is attended to, true edges get no more of the attention than their share, "
            "neither where neighbors are most alike nor where they are least alike.",
            "attention on true edges, homophilous": "If every node is attended to, true edges get no more of the attention than "
            "their share where neighbors are most alike.",
            "attention on true edges, heterophilous": "If every node is attended to, true edges get no more of the attention "
            "than their share where neighbors are least alike.",
            "attention within a class": "If every node is attended to, neighbors get no more attention than the rest of their "
            "class, averaged over all block models.",
            "attention within a class, with eigenvectors": "With eigenvectors as features too, neighbors get no more attention "
            "than the rest of their class, averaged over all block models.",
            **{
                comparison.name(classes): f"With {classes} classes, {PLACES[comparison.where]}: {comparison.says}."
                for classes, comparison in product((2, 4), COMPARISONS)
            },
            **{part: f"On Cora: {says}." for part, (_, _, says) in ON_CORA.items()},
            "all graphs with structure": "On every graph whose edges say something of the class, GAT is more accurate than a "
            "Transformer that attends to every node.",
        },
    ),
)
QUOTES = {
    "complete graph": "A Transformer layer is a graph network on the complete graph.",
    "attention on true edges": "Attention to every node dilutes structure",
    "all graphs with structure": "so GAT is better on graphs.",
}
"""The report's own words, by the part that judges them."""


def jobs(recipe: Recipe) -> list[Job]:
    """The exact checks by draw, a picture, then one job for each arm, block model and seed."""
    exact = [
        job(task, seed=seed, seconds=seconds)
        for seed in range(recipe.draws)
        for task, seconds in ((Layer(sizes=recipe.sizes), 0.1 * len(recipe.sizes)), (Order(), 0.2), (Relabel(), 0.8))
    ]
    scale = (recipe.nodes / 300) * recipe.epochs / 80
    trained = [
        job(
            task_of(Train, recipe, classes=classes, homophily=homophily, arm=arm),
            seed=seed,
            seconds=0.1 + scale * (2.5 if arm == "gat" else 0.6),
        )
        for seed in range(recipe.seeds)
        for classes in recipe.classes
        for homophily in recipe.points(classes)
        for arm in get_args(ArmName)
    ]
    return [*exact, job(Picture(), seconds=2.0), *on_cora(recipe), *trained]


def on_cora(recipe: Recipe) -> list[Job]:
    """One job for each arm and seed on Cora, the slow arm first."""
    seconds = {"complete": 0.15, "graph": 0.05, "gat": 0.04, "self": 0.02}  # an epoch of both settings
    return [
        job(task_of(Cora, recipe, arm=arm), seed=seed, seconds=0.5 + each * recipe.epochs)
        for arm, each in seconds.items()
        for seed in range(recipe.cora_seeds)
    ]


def fetch(recipe: Recipe) -> None:
    """Have Cora at hand before any job starts. Raises DataError where it is asked for and cannot be had."""
    require(["cora"] * bool(recipe.cora_seeds))
