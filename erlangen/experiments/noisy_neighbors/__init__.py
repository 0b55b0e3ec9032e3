"""Claims G7 and G8: by which weights a graph network listens to its neighbors, and whether learned ones make it robust to noise.

GCN, GAT, GATv2 and a GAT whose attention is frozen uniform, at one width, depth and tuning. Five kinds of noise, three of which
attention can see. The literature disagrees: Fountoulakis et al. (JMLR 2023) prove that attention tells classes apart where the
features do, Ma et al. (arXiv 2412.15496) that it helps where structure is noisier than features, and TKDD 2025 (10.1145/3733605)
finds GAT the most vulnerable. `standard` takes about 20 minutes on two cores.
"""

from __future__ import annotations

from erlangen.experiments.kit.graphs import graph_parameters, require_graphs
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.noisy_neighbors.claims import CLAIMS as CLAIMS, QUOTES as QUOTES
from erlangen.experiments.noisy_neighbors.recipe import PRESETS as PRESETS, Recipe as Recipe
from erlangen.experiments.noisy_neighbors.tasks import (
    LAYERS,
    NOISES,
    Layer,
    Planted,
    PlantedSeparate,
    Separate,
    Train,
    TrainedWeights,
    Weights,
)
from erlangen.records.runs import Job

TITLE = "Attention among noisy neighbors"
QUESTION = "Does attention keep a graph network from listening to noisy neighbors, and does that make it more robust?"
MEMORY_MB = 700

FORMS = ("mean", "gcn", "gat", "gatv2")
SEPARATING: tuple[Layer, ...] = ("gcn", "gat", "gatv2")
_COST = {"gcn": 0.15, "gat": 0.5, "gatv2": 0.7, "uniform": 0.35}  # seconds of one training of 600 nodes, on one core


def fetch(recipe: Recipe) -> None:
    """Have the graphs at hand before any job starts. Raises DataError where one cannot be had."""
    require_graphs(recipe.data)


def jobs(recipe: Recipe) -> list[Job]:
    """For each seed: what noise does to each layer on each graph, two classes at every distance, what is counted, the controls.

    Raises DataError where a graph cannot be read.
    """
    seeds, graphs = range(recipe.seeds), [graph_parameters(data, recipe.nodes) for data in recipe.data]
    cells = [(distance, other) for distance in recipe.distances for other in recipe.others]
    robust = [
        job(task_of(Train, recipe, layer=layer, **graph), seed=seed, seconds=seconds(recipe, str(graph["data"]), layer))
        for seed in seeds
        for graph in graphs
        for layer in LAYERS
    ]
    separated = [
        job(
            task_of(Separate, recipe, layer=layer, distance=distance, other=other),
            seed=seed,
            seconds=0.1 + len(recipe.dropouts) * _COST[layer] * scale(recipe, recipe.two_class_nodes),
        )
        for seed in seeds
        for distance, other in cells
        for layer in SEPARATING
    ]
    controls = [job(task_of(Planted, recipe, **graph), seed=seed, seconds=0.1) for seed in seeds for graph in graphs]
    controls += [
        job(task_of(PlantedSeparate, recipe, distance=distance, other=other), seed=seed, seconds=0.05)
        for seed in seeds
        for distance, other in cells
    ]
    counted = [job(Weights(), seed=seed, seconds=0.2) for seed in seeds]
    counted += [job(TrainedWeights(form=form), seed=seed, seconds=0.4) for seed in seeds for form in FORMS]
    return sorted(robust, key=lambda job: -job.seconds) + separated + controls + counted


def seconds(recipe: Recipe, data: str, layer: Layer) -> float:
    """Of one job, on one core: a training without noise and one for each noise, with each dropout."""
    trainings = (1 + len(NOISES)) * len(recipe.dropouts)
    return 1 + trainings * _COST[layer] * (scale(recipe, recipe.nodes) if data == "blocks" else 3 * recipe.epochs / 200)


def scale(recipe: Recipe, nodes: int) -> float:
    """The cost of a training against one of 200 epochs and 600 nodes: small graphs are bound by launches, not by arithmetic."""
    return recipe.epochs / 200 * (0.5 + 0.5 * nodes / 600)
