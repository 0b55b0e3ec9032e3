"""Claim G10: what a layer of graph attention costs, and what one of a Transformer, as the graph grows and as it fills.

The claim is about counts, so it is judged on the pairs of nodes that each layer attends to. Clocks illustrate: one layer, forward
and backward, one core. The Transformer's attention is measured unfused, with its N × N matrix, and fused, as libraries run it
today: fused attention never holds that matrix, so the two differ in memory, not in the number of products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.experiments.graph_cost.tasks import Layer, Over, Sweep
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import Claim, Job

TITLE = "What attention costs on a graph"
QUESTION = "Does the cost of graph attention grow with the number of edges, and that of a Transformer with the number of pairs?"
MEMORY_MB = 3000

Size = Annotated[int, Ge(16), Le(10_000_000)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """nodes: sizes of the graphs for layers that follow edges. degree: neighbors of each node on these graphs.

    tokens: sizes for layers over all pairs. degrees: neighbors of each node on a graph of `filled` nodes, up to all of them; all
    sizes must rise. filled: nodes of that graph. features: of each node, in and out of a layer.
    budget: seconds for which each size is timed; five steps are timed in any case. tolerance: by how much an exponent may miss
    1 or 2.
    """

    seeds: Annotated[int, Ge(1), Le(100)] = 5
    nodes: tuple[Size, ...] = (4096, 8192, 16384, 32768, 65536)
    tokens: tuple[Size, ...] = (512, 1024, 2048, 4096)
    degree: Annotated[int, Ge(1), Le(1000)] = 10
    filled: Size = 1024
    degrees: tuple[Size, ...] = (16, 32, 64, 128, 256, 512, 1024)
    features: Annotated[int, Ge(4), Le(4096)] = 64
    budget: Annotated[float, Ge(0), Le(60)] = 0.3
    tolerance: Annotated[float, Ge(0), Le(1)] = 0.2

    def __post_init__(self) -> None:
        for name in ("nodes", "tokens", "degrees"):
            sizes = getattr(self, name)
            if len(sizes) < 3 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name}: give three sizes or more, in rising order")
        if self.degrees[-1] > self.filled:
            raise ValueError(f"degrees: {self.degrees[-1]} neighbors are too many for a graph of {self.filled} nodes")


PRESETS = {
    "quick": Recipe(  # fewer sizes, not smaller ones: the largest decide whether a cost has come to its exponent
        seeds=3, nodes=(4096, 8192, 16384), tokens=(512, 1024, 2048), filled=512, degrees=(16, 128, 512), budget=0.1
    ),
    "standard": Recipe(),
}

CLAIMS = (
    Claim(
        id="G10",
        statement="A GAT layer costs O(E), a Transformer layer O(N²).",
        how="The pairs of nodes that each layer attends to are counted. Beside the count stand the median time of forward and "
        "backward, and the peak memory, of one layer on one core: over the number of nodes N at a fixed number of neighbors, and "
        "over the number of edges at a fixed N. Each seed runs in a process of its own, alone on the machine, and gives one "
        "exponent, on logarithms.",
        parts={
            "pairs, GAT": "A GAT layer attends to as many pairs of nodes as there are edges.",
            "pairs, Transformer": "A Transformer layer attends to all N² pairs of nodes, whatever the edges.",
            "time, GAT": "At a fixed number of neighbors GAT's time grows at most linearly with the number of nodes.",
            "memory, GAT": "At a fixed number of neighbors GAT's memory grows at most linearly with the number of nodes.",
            "time, GAT, more edges": "On a fixed number of nodes GAT's time grows at most linearly with the number of edges.",
            "time, dot product along edges": "The time of dot-product attention along edges grows at most linearly, too.",
            "time, unfused attention": "The time of unfused attention grows quadratically with the number of nodes.",
            "memory, unfused attention": "The memory of unfused attention grows quadratically with the number of nodes.",
            "time, fused attention": "The time of fused attention grows quadratically with the number of nodes.",
            "memory, fused attention": "The memory of fused attention, which holds no N × N matrix, grows at most linearly.",
            "time, complete graph": "On the complete graph GAT takes longer than unfused attention.",
        },
    ),
)
QUOTES = {"pairs, GAT": "GAT O(E)", "pairs, Transformer": "Transformer O(N²)"}
said = partial(wording, CLAIMS, QUOTES)


def jobs(recipe: Recipe) -> list[Job]:
    """One series of graphs for each layer and seed, alone on the machine."""
    sweeps: tuple[tuple[Layer, Over, tuple[int, ...], float], ...] = (  # seconds a node or neighbor
        ("gat", "nodes", recipe.nodes, 3e-5),
        ("dot", "nodes", recipe.nodes, 3e-5),
        ("plain", "nodes", recipe.tokens, 7e-4),
        ("fused", "nodes", recipe.tokens, 1e-4),
        ("gat", "neighbors", recipe.degrees, 1e-3),
        ("plain", "neighbors", recipe.degrees, 1e-4),
    )
    fixed = {"nodes": recipe.degree, "neighbors": recipe.filled}
    return [
        job(
            Sweep(layer=layer, over=over, sizes=sizes, fixed=fixed[over], features=recipe.features, budget=recipe.budget),
            seed=seed,
            exclusive=True,
            seconds=1.3 + len(sizes) * (0.2 + recipe.budget) + sum(sizes) * each,
        )
        for seed in range(recipe.seeds)
        for layer, over, sizes, each in sweeps
    ]
