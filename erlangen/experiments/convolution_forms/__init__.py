"""Claims G4, G5 and G6: one graph convolution as messages and as matrices, and the aggregators that have no matrix.

Most of it is counted on random directed graphs, some of it on every small graph there is; only the residual of G6 is sampled.
`quick` takes seconds, `standard` a minute. Only `standard` tries more than 2²⁴ edges.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from annotated_types import Ge, Le

from erlangen.claims import statement_of
from erlangen.experiments.convolution_forms import tasks
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import Claim, Job

TITLE = "One graph convolution, three forms"
QUESTION = (
    "Are indices, messages and matrices the same graph convolution? What must a message know, and why has a median no matrix?"
)
MEMORY_MB = 1300  # with more than 2²⁴ edges; all else stays below 500

FITTED = ("median", "midpoint", "max")
GRAPHS = {"karate": "karate club", "directed": "random directed graph"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """graphs: random graphs for each seed. nodes: of a graph, at most. draws: signals to fit for each seed, and as many held out.

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

RESIDUALS = {
    f"fixed matrix, {how}, {name}": f"On the {name} the best fixed matrix leaves a material share of the {how}'s variance."
    for name in GRAPHS.values()
    for how in FITTED
}
CLAIMS = (
    Claim(
        id="G4",
        statement=statement_of("G4"),
        how="Index form, message form and a program that goes from node to node are compared, outputs and gradients, on random "
        "directed graphs. Then the message that an edge would have to carry is solved for on stars of different degrees.",
        parts={
            "message form": "The layer passes messages h_u and nothing else, takes their mean m and updates by σ(W · m + B · h).",
            "sum of messages": "With a sum for the mean and the same update, no message of (h_v, h_u) alone gives the layer.",
            "place of the degree": "1/|N(v)| can stand in the aggregation, on the edges or in the update.",
        },
    ),
    Claim(
        id="G5",
        statement=statement_of("G5"),
        how="The equation with dense matrices is compared with the three forms on random directed graphs with isolated nodes, "
        "self-loops, multi-edges and weights; then with edges reversed, on every small graph, too, and with transposes left "
        "out. torch_geometric's layers get the same weights.",
        parts={
            "matrix form": "In matrices, with W and B that act on the rows of H, the layer is σ(D⁻¹AHW + HB), if D⁻¹ is read as "
            "1 where no edge arrives.",
            "row-normalized": "Every row of D⁻¹A adds up to 1.",
            "row-normalized, reached nodes": "The row of D⁻¹A of every node that an edge reaches adds up to 1.",
            "inverse of D": "D⁻¹ does not exist where a graph has a node that no edge reaches, such as an isolated one.",
            "transposes": "W and B of the column form are transposed in the matrix form: as they are, they give another layer.",
            "reversed edges, symmetric graphs": "On a symmetric graph the layer stays the same when all edges are reversed.",
            "reversed edges, directed graphs": "On a directed graph without multi-edges the layer changes when all are reversed.",
            "reversed edges, multi-edges": "On some directed graphs with multi-edges reversing all edges changes nothing.",
            "torch_geometric": "The layer is torch_geometric's SAGEConv, and with edge weights its GraphConv(aggr='mean').",
        },
    ),
    Claim(
        id="G6",
        statement=statement_of("G6"),
        how="Additivity is tried for all pairs of integer signals on a node of 1 to 5 neighbors, associativity for all triples. "
        "The best fixed N × N matrix is fitted to white signals and judged on others. Then a matrix that depends on X, and "
        "torch_geometric's own median and max.",
        parts={
            "no matrix": "At in-degree 3 or more no fixed matrix gives the lower median, or the midpoint of both medians.",
            "nonlinear": "Of mean, medians and maximum, those that no fixed matrix fits are those that are not linear.",
            "non-associative": "The aggregators without a fixed matrix are those that are not associative.",
            "in-degrees 1 and 2": "The median of one value is linear, and so is the midpoint of two.",
            "selection matrix": "A matrix that depends on X, with at most one 1 in a row, gives the lower median.",
            "fixed matrix": "The best fixed matrix leaves a material share of the variance of medians and maximum.",
            **RESIDUALS,
            "torch_geometric's median and max": "torch_geometric's median and max fail on each kind of input listed here.",
            "our median and max": "On the same inputs our median and max are right.",
        },
    ),
)
QUOTES = {
    "message form": "The layer is one MPNN whose message does not depend on the edge or on the node's own embedding.",
    "matrix form": "σ(D⁻¹AHW + HB)",
    "row-normalized": "D⁻¹A is row-normalized",
    "no matrix": "No matrix form",
    "nonlinear": "because it is nonlinear",
    "non-associative": "non-associative",
}
said = partial(wording, CLAIMS, QUOTES)


def library() -> str | None:
    """Version of torch_geometric, an optional extra; None where it is not installed."""
    try:
        return importlib.metadata.version("torch_geometric")
    except importlib.metadata.PackageNotFoundError:
        return None


def jobs(recipe: Recipe) -> list[Job]:
    """What is counted once, then what is drawn, for every seed. Every job computes in the precisions that it compares.

    Where a job asks torch_geometric, its version is a parameter: installing it recomputes that job and no other.
    """
    version = library()
    once: list[tuple[Any, float]] = [
        (tasks.Pair(), 0.5),
        (tasks.EveryGraph(), 1.0),
        (tasks.Additivity(), 0.3),
        (tasks.Faults(torch_geometric=version), 6.0),
    ]
    if recipe.past_float32:
        once.insert(0, (tasks.PastFloat32(torch_geometric=version), 16.0))
    seconds = {tasks.Message: 0.01, tasks.Matrix: 0.02, tasks.Direction: 0.004, tasks.Transposes: 0.004, tasks.Selection: 0.002}
    drawn: list[tuple[Any, float]] = [(task_of(kind, recipe), each * recipe.graphs) for kind, each in seconds.items()]
    drawn.append((task_of(tasks.Pyg, recipe, torch_geometric=version), 0.03 * recipe.graphs))
    drawn.append((task_of(tasks.Residual, recipe), recipe.draws / 1e4))
    return [
        *(job(task, seconds=0.05 + cost) for task, cost in once),
        *(job(task, seed=seed, seconds=0.05 + cost) for seed in range(recipe.seeds) for task, cost in drawn),
    ]
