"""Claims G4, G5 and G6: one graph convolution as messages and as matrices, and the aggregators that are no matrix.

Mostly counted on random directed graphs, some of it on every small graph there is; only the residual of G6 is sampled.
Known: torch_geometric's median raises on no edges, computes places in float32 and is wrong in bfloat16; its max loses gradient
at 0. `quick` takes seconds, `standard` a minute; past 2²⁴ edges only `standard` looks.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.records.files import Scalar
from erlangen.records.runs import Claim, Job

TITLE = "One graph convolution, three forms"
MEMORY_MB = 1300  # past 2²⁴ edges; all else stays below 500

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}  # of the terms that an output or a gradient adds up
KINDS = ("isolated nodes", "nodes that nothing reaches", "self-loops", "multi-edges", "no edges at all")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Each of `seeds` draws `graphs` random graphs of up to `nodes` nodes, and `draws` signals to fit and as many held out.

    material: share of the variance from which on a residual counts.
    past_float32: whether to try 2²⁴ + 3 edges (1.3 GB).
    """

    seeds: Annotated[int, Ge(1), Le(10_000)] = 40
    graphs: Annotated[int, Ge(1), Le(10_000)] = 25
    nodes: Annotated[int, Ge(2), Le(200)] = 12
    draws: Annotated[int, Ge(50), Le(1_000_000)] = 4_000
    material: Annotated[float, Ge(0), Le(1)] = 0.01
    past_float32: bool = True


PRESETS = {"quick": Recipe(seeds=20, graphs=8, draws=1_000, past_float32=False), "standard": Recipe()}

CLAIMS = (
    Claim(
        id="G4",
        statement="The layer h' = σ(W · mean + B · h) is one message-passing network, whose message does not depend on the edge.",
        how="Index form, message/update form and a program that goes from node to node, outputs and gradients, on random "
        "directed graphs. Then two graphs whose edges all join the same pair of features, and the message that each needs.",
        parts={
            "mpnn": "index form = message/update form",
            "edge-free": "whether a message of (h_v, h_u) alone can carry 1/|N(v)| into a sum",
            "degree": "where 1/|N(v)| can enter",
        },
    ),
    Claim(
        id="G5",
        statement="In matrices the layer is σ(D⁻¹AHW + HB).",
        how="The equation with dense matrices against the three forms, on random directed graphs with isolated nodes, "
        "self-loops, multi-edges and weights; with A turned round, on every small graph too; with transposes left out; and "
        "torch_geometric's layers with the same weights.",
        parts={
            "matrix": "σ(D⁻¹AHWᵀ + HBᵀ) against the three forms",
            "direction": "whether a wrong direction is invisible on symmetric graphs",
            "visibility": "whether it is seen on every other graph",
            "transposes": "whether W and B stand as in the column form",
            "pyg": "torch_geometric's SAGEConv and GraphConv",
        },
    ),
    Claim(
        id="G6",
        statement="Median aggregation has no matrix form because it compares rows.",
        how="Additivity for every pair of integer signals on a node of 1 to 5 neighbors; held-out residual of the best fixed N×N "
        "matrix; a matrix that depends on X; what other aggregators do with rows; torch_geometric's own median and max.",
        parts={
            "additivity": "whether the median is additive at in-degree 3 and more",
            "degrees-1-2": "whether it is at 1 and 2",
            "residual": "what the best fixed matrix leaves over",
            "selection": "whether a matrix that depends on X exists",
            "reason": "whether comparing rows is the reason",
            "library": "faults of torch_geometric's median and max",
        },
    ),
)


def library() -> str | None:
    """Version of torch_geometric, an optional extra; None where it is not installed."""
    try:
        return importlib.metadata.version("torch_geometric")
    except importlib.metadata.PackageNotFoundError:
        return None


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """What is counted once, then what is drawn, for every seed. Float32 and float64 are both measured, whatever `precision`.

    Where a job asks torch_geometric, its version is a parameter: to install it recomputes that job and no other.
    """
    name, version = "convolution-forms", library()
    once: list[tuple[str, dict[str, Scalar], float]] = [
        ("pair", {}, 0.5),
        ("every-graph", {}, 1),
        ("additivity", {}, 0.3),
        ("faults", {"torch_geometric": version}, 6),
    ]
    if recipe.past_float32:
        once.insert(0, ("past-float32", {"torch_geometric": version}, 16))
    graphs: dict[str, Scalar] = {"graphs": recipe.graphs, "nodes": recipe.nodes}
    drawn: list[tuple[str, dict[str, Scalar], float]] = [
        ("message", graphs, 0.01 * recipe.graphs),
        ("matrix", graphs, 0.02 * recipe.graphs),
        ("direction", graphs, 0.004 * recipe.graphs),
        ("transposes", graphs, 0.004 * recipe.graphs),
        ("selection", graphs, 0.002 * recipe.graphs),
        ("pyg", {**graphs, "torch_geometric": version}, 0.03 * recipe.graphs),
        ("residual", {"draws": recipe.draws}, recipe.draws / 1e4),
    ]
    seeds = [(job, seed) for seed in range(recipe.seeds) for job in drawn]
    return [
        Job(experiment=name, params={"task": task, **params}, seed=seed, seconds=0.05 + seconds)
        for (task, params, seconds), seed in [*((job, 0) for job in once), *seeds]
    ]
