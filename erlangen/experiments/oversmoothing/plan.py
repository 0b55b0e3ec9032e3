"""The jobs of `oversmoothing`: what is counted, averaging without weights, untrained nets, and trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlangen.experiments.kit.graphs import graph_parameters
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.oversmoothing.tasks import (
    KINDS,
    PROPAGATED,
    RELU_LARGE,
    Itself,
    Kind,
    Propagate,
    Start,
    Train,
)
from erlangen.records.runs import Job

if TYPE_CHECKING:
    from erlangen.experiments.oversmoothing import Recipe

EVERYWHERE = ("root", "none", "residual")  # are trained at every depth; the others at the two that are compared
_CORA = 2485  # nodes, of whose seconds a smaller graph takes a share


def net_fields(recipe: Recipe, kind: Kind) -> dict[str, Any]:
    """The fields of a task that say which nets it is about."""
    arm, activation, large = kind
    return {"arm": arm, "activation": activation, "scale": recipe.large if large else 1.0}


def jobs(recipe: Recipe) -> list[Job]:
    """All jobs, the longest trainings first. Raises DataError where the graph's file cannot be read."""
    graph = graph_parameters(recipe.data, recipe.nodes)
    share = (recipe.nodes if recipe.data == "blocks" else _CORA) / _CORA
    seeds = range(recipe.seeds)
    itself = [job(Itself(), seed=seed, seconds=0.3) for seed in seeds]
    propagated = [
        job(task_of(Propagate, recipe, arm=arm, component=component, **graph), seed=seed, seconds=2.5 * share**2)
        for seed in (seeds if recipe.data == "blocks" else [0])  # any other graph is the same for every seed
        for component in ("giant", "whole")
        for arm in PROPAGATED
    ]
    started = [
        job(task_of(Start, recipe, **net_fields(recipe, kind), **graph), seed=seed, seconds=0.15)
        for seed in seeds
        for kind in (*KINDS.values(), RELU_LARGE)
    ]
    trained = [job(task, seed=seed, seconds=seconds(task, recipe, share)) for seed in seeds for task in trainings(recipe, graph)]
    return [*sorted(trained, key=lambda net: -net.seconds), *itself, *propagated, *started]


def trainings(recipe: Recipe, graph: dict[str, Any]) -> list[Train]:
    """A net of each arm at each depth and rate."""
    compared = (recipe.depths[0], recipe.deep)
    return [
        task_of(Train, recipe, **net_fields(recipe, KINDS[name]), depth=depth, lr=rate, **graph)
        for name in recipe.arms
        for depth in recipe.depths
        if depth in compared or name in EVERYWHERE
        for rate in recipe.rates
    ]


def seconds(task: Train, recipe: Recipe, share: float) -> float:
    """Of one training on one core, for a graph with this share of Cora's nodes."""
    easy = task.arm == "residual" or task.depth == recipe.depths[0]
    slow = task.lr == recipe.rates[0] or (not easy and (task.lr == recipe.rates[-1] or task.depth > recipe.deep))
    lasts = 1.0 if slow else 0.1 if easy else 0.4  # of the epochs, until the loss is reached
    return 0.1 + lasts * task.epochs * (0.3 + 0.7 * share) * (0.002 + 0.00105 * task.depth)
