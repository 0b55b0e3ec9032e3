"""Claim G10: what a layer of graph attention costs, and what one of a Transformer, as the graph grows and as it fills.

A clock cannot refute a theorem: the claim is judged on what is counted as it runs, multiply-adds of every product and the entries
of everything else. Times stand beside the counts: one layer, forward and backward, on one core, with an allocator that keeps its
pages. `standard` takes about two minutes, and needs the machine for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.claims import statement_of
from erlangen.experiments.graph_cost.tasks import Count, Layer, Over, Time
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import Claim, Job

TITLE = "What attention costs on a graph"
QUESTION = "Does the cost of graph attention grow with the number of edges, and that of a Transformer with the number of pairs?"
MEMORY_MB = 4000

Size = Annotated[int, Ge(16), Le(10_000_000)]

TIMED: tuple[Layer, ...] = ("gat", "plain", "fused")
START = 2.0  # seconds until a process can begin


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is counted, and what is timed.

    nodes: sizes of the graphs for layers that follow edges. tokens: sizes for layers over all pairs, at which GAT is counted as
    well. degree: neighbors of each node on these graphs, a number far below the sizes.
    filled: nodes of the graph that fills up. degrees: neighbors of each of its nodes, up to all of them. All sizes must rise.
    features: of each node, in and out of a layer, in four heads.
    budget: seconds for which each size is timed; three steps are timed in any case.
    tolerance: by how much an exponent of the time may miss 1 or 2. faults: page faults a step, up to which a time is one of
    computation.
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
    faults: Annotated[int, Ge(0), Le(1_000_000)] = 1000

    def __post_init__(self) -> None:
        for name in ("nodes", "tokens", "degrees"):
            sizes = getattr(self, name)
            if len(sizes) < 3 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name}: give three sizes or more, in rising order")
        if self.degrees[-1] > self.filled:
            raise ValueError(f"degrees: {self.degrees[-1]} neighbors are too many for a graph of {self.filled} nodes")
        if len({*self.tokens, self.filled}) < 4:
            raise ValueError(f"filled: {self.filled} is among three tokens: four sizes are needed to check what three determine")
        if self.features % 4:
            raise ValueError(f"features: {self.features} cannot be shared by 4 heads: give a multiple of 4")
        if self.degree > min(*self.nodes, *self.tokens):
            raise ValueError(f"degree: {self.degree} neighbors are too many for the smallest graph")


PRESETS = {
    "quick": Recipe(  # fewer sizes, not smaller ones: the largest decide whether a time has come to its exponent
        seeds=3, nodes=(4096, 8192, 16384), tokens=(1024, 2048, 4096), filled=512, degrees=(16, 64, 256, 512), budget=0.1
    ),
    "standard": Recipe(),
}

CLAIMS = (
    Claim(
        id="G10",
        statement=statement_of("G10"),
        how="Multiply-adds of every product, and the entries of everything else that is computed, are counted operation by "
        "operation, forward and backward: over the number of nodes N at a fixed number of neighbors, and over the number of "
        "edges E at a fixed N. One standard for both layers: a count must be a whole number per node and a whole number per pair "
        "attended, exactly, on every graph. Beside the counts stand median times on one core, in processes that keep their "
        "memory. They illustrate the counts and cannot refute them.",
        parts={
            "cost, GAT": "What a GAT layer computes is a fixed number of operations per node and per edge: O(E), "
            "where every node has an edge.",
            "cost, Transformer": "What a Transformer layer computes is a fixed number of operations per node and per pair of "
            "nodes, whatever the edges: O(N²).",
            "cost, dot product along edges": "Restricted to the edges, a Transformer's dot product costs O(E), too.",
            "cost per node, GAT": "With few neighbors, most of GAT's multiply-adds belong to the nodes, whatever the edges.",
            "storage, GAT": "What a GAT layer stores for the gradient is a fixed number per node and per edge.",
            "storage, unfused attention": "What unfused attention stores for the gradient is a fixed number per node and pair.",
            "storage, fused attention": "What fused attention stores for the gradient is a fixed number per node alone.",
            "time, GAT": "At a fixed number of neighbors GAT's time grows linearly with the number of nodes.",
            "time, unfused attention": "The time of unfused attention grows quadratically with the number of nodes.",
            "time, fused attention": "The time of fused attention grows quadratically with the number of nodes.",
            "time, complete graph": "On the complete graph GAT takes longer than unfused attention.",
            "page faults": "Steps cause almost no page faults where pages are kept, and many where they are returned.",
        },
    ),
)
QUOTES = {"cost, GAT": "GAT O(E)", "cost, Transformer": "Transformer O(N²)"}
said = partial(wording, CLAIMS, QUOTES)


def jobs(recipe: Recipe) -> list[Job]:
    """What is counted, then what is timed, alone on the machine."""
    return [*counting(recipe), *clocks(recipe)]


def counting(recipe: Recipe) -> list[Job]:
    """Each layer as the graph grows and as it fills."""
    small, both = recipe.tokens, tuple(sorted({*recipe.tokens, *recipe.nodes}))
    grown: dict[Layer, tuple[int, ...]] = {"gat": both, "dot": both, "plain": small, "fused": small}
    sweeps: list[tuple[Layer, Over, tuple[int, ...], int]] = [
        *((layer, "nodes", sizes, recipe.degree) for layer, sizes in grown.items()),
        *((layer, "neighbors", recipe.degrees, recipe.filled) for layer in grown),
    ]
    counts = [
        Count(layer=layer, over=over, sizes=sizes, fixed=fixed, features=recipe.features) for layer, over, sizes, fixed in sweeps
    ]
    return [job(count, seconds=of_count(count)) for count in counts]


def of_count(task: Count) -> float:
    """Seconds of a job that counts: two or three passes on each graph."""
    each = {"gat": 7e-7, "dot": 7e-7, "plain": 1.7e-7, "fused": 3e-8}[task.layer]
    pairs = (n * (degree if task.layer in ("gat", "dot") else n) for n, degree in task.graphs())
    return 0.5 + sum(0.03 + each * count for count in pairs)


def clocks(recipe: Recipe) -> list[Job]:
    """Times of each layer and seed, each in a process of its own; one process of the control, which returns its pages."""
    sizes = {"gat": recipe.nodes, "plain": recipe.tokens, "fused": recipe.tokens}
    timed = [
        job(task(recipe, layer, sizes[layer]), seed=seed, exclusive=True, seconds=of_clock(recipe, layer, sizes[layer]))
        for seed in range(recipe.seeds)
        for layer in TIMED
    ]
    large = recipe.tokens[-2:-1]
    return [*timed, job(task(recipe, "plain", large, kept=False), exclusive=True, seconds=of_clock(recipe, "plain", large))]


def task(recipe: Recipe, layer: Layer, sizes: tuple[int, ...], kept: bool = True) -> Time:
    """The times of a layer; on the complete graph, too, unless it is the control or fused attention."""
    complete = recipe.filled if kept and layer != "fused" else 0
    return Time(
        layer=layer,
        sizes=sizes,
        degree=recipe.degree,
        complete=complete,
        features=recipe.features,
        budget=recipe.budget,
        kept=kept,
    )


def of_clock(recipe: Recipe, layer: Layer, sizes: tuple[int, ...]) -> float:
    """Seconds of a job that times: `budget` each, or six steps."""
    each = {"gat": 3e-7 * recipe.degree, "plain": 3e-8, "fused": 1e-8}[layer]  # a step, by edges or pairs
    return START + sum(max(recipe.budget, 5 * each * n * (1 if layer == "gat" else n)) for n in sizes)
