"""Claim G10: what a layer of graph attention costs, and what one of a Transformer, as the graph grows and as it fills.

One layer, forward and backward, one core. The Transformer's attention is measured as it is written down, with its N × N matrix,
and as libraries run it today, fused, which never holds that matrix: the two differ in memory, not in the number of products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.records.runs import Claim, Job

TITLE = "What attention costs on a graph"
MEMORY_MB = 3000

LAYERS = ("gat", "dot", "plain", "fused")

Size = Annotated[int, Ge(16), Le(10_000_000)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """nodes: sizes of graphs of `degree` neighbors a node, for the layers that follow edges; tokens: for those over all pairs.

    degrees: edges a node on a graph of `filled` nodes, up to all of them. tolerance: on an exponent. Sizes rise.
    """

    seeds: Annotated[int, Ge(1), Le(100)] = 5
    nodes: tuple[Size, ...] = (4096, 8192, 16384, 32768, 65536)
    tokens: tuple[Size, ...] = (512, 1024, 2048, 4096)
    degree: Annotated[int, Ge(1), Le(1000)] = 10
    filled: Size = 1024
    degrees: tuple[Size, ...] = (16, 32, 64, 128, 256, 512, 1024)
    features: Annotated[int, Ge(4), Le(4096)] = 64
    tolerance: Annotated[float, Ge(0), Le(1)] = 0.2

    def __post_init__(self) -> None:
        for name in ("nodes", "tokens", "degrees"):
            sizes = getattr(self, name)
            if len(sizes) < 3 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name}: three sizes or more, rising")
        if self.degrees[-1] > self.filled:
            raise ValueError(f"degrees: {self.degrees[-1]} neighbors on a graph of {self.filled} nodes")


PRESETS = {
    "quick": Recipe(
        seeds=3, nodes=(2048, 4096, 8192, 16384), tokens=(256, 512, 1024, 2048), filled=512, degrees=(16, 64, 256, 512)
    ),
    "standard": Recipe(),
}

CLAIMS = (
    Claim(
        id="G10",
        statement="A GAT layer costs O(E), a Transformer layer O(N²).",
        how="Median time of forward and backward, and peak memory, of one layer on one core: over N at a fixed degree, and over "
        "the number of edges at a fixed N. Exponents on logarithms, one a seed, each in a process of its own with nothing "
        "beside it.",
        parts={
            "gat/time": "exponent of GAT's time over N at fixed degree",
            "gat/memory": "exponent of GAT's memory over N at fixed degree",
            "gat/density": "exponent of GAT's time over E at fixed N",
            "transformer/time": "exponent of the plain Transformer attention's time over N",
            "transformer/fused-time": "exponent of the fused one's time over N",
            "transformer/memory": "exponent of the plain one's memory over N",
            "transformer/fused-memory": "exponent of the fused one's memory over N",
            "edges": "dot-product attention along edges: exponent of its time over N at fixed degree",
            "full": "GAT on the complete graph against the Transformer on the same nodes",
        },
    ),
)


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """One sweep of sizes a job, alone on the machine. In float32 on a CPU whatever `precision` and `device` say."""
    sizes = {"nodes": recipe.nodes, "tokens": recipe.tokens, "degrees": recipe.degrees}
    sweeps = (
        ("gat", "nodes"),
        ("dot", "nodes"),
        ("plain", "tokens"),
        ("fused", "tokens"),
        ("gat", "degrees"),
        ("plain", "degrees"),
    )
    return [
        Job(
            experiment="graph-cost",
            params={
                "layer": layer, "over": over, "sizes": ",".join(map(str, sizes[over])), "features": recipe.features,
                **({"filled": recipe.filled} if over == "degrees" else {"degree": recipe.degree}),
            },
            seed=seed,
            exclusive=True,
            seconds=2.5 + sum(size for size in sizes[over]) * {"nodes": 3e-5, "tokens": 4e-4, "degrees": 1e-3}[over],
        )
        for seed in range(recipe.seeds)
        for layer, over in sweeps
    ]  # fmt: skip
