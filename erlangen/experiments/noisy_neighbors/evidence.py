"""From the results of noisy-neighbors to the numbers that verdicts and figures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erlangen.experiments.noisy_neighbors import LAYERS, Recipe
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import mean_interval

Grid = np.ndarray  # (shares, shares): noise on nodes down, on edges across


@dataclass(frozen=True)
class Arms:
    """The results of one data set: for each layer one result a seed, the same seeds for all of them."""

    data: str
    by_layer: dict[str, list[JobResult]]

    @property
    def seeds(self) -> list[int]:
        return [result.seed for result in self.by_layer[LAYERS[0]]]


def arms(results: Sequence[JobResult], data: str) -> Arms:
    """Seeds for which every layer was measured; what the others lack cannot be paired."""
    trained = [result for result in results if result.params["task"] == "train" and result.params["data"] == data]
    found = {layer: {r.seed: r for r in trained if r.params["layer"] == layer} for layer in LAYERS}
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in found.values())))
    return Arms(data, {layer: [by_seed[seed] for seed in shared] for layer, by_seed in found.items()})


def shares(recipe: Recipe, regime: str) -> tuple[float, ...]:
    return recipe.shares if regime == "test" else recipe.in_training


def grid(result: JobResult, recipe: Recipe, regime: str, what: str = "accuracy_by_noise_at_clean") -> Grid:
    """Accuracy in percent by share of noisy nodes (down) and edges (across); NaN where it was not measured."""
    n = len(shares(recipe, regime))
    values = result.values(f"{regime}_{what}")
    return np.array(values).reshape(n, n) if len(values) == n * n else np.full((n, n), math.nan)


def line(table: Grid, kind: str) -> np.ndarray:
    """The accuracies along which one kind of noise rises, (shares,): the first column, the first row, or the diagonal."""
    lines: dict[str, np.ndarray] = {"nodes": table[:, 0], "edges": table[0], "both": table.diagonal()}
    return lines[kind]


def loss(result: JobResult, recipe: Recipe, regime: str, kind: str) -> float:
    """Points of accuracy lost per 10 % of noise: less the slope of the least-squares line."""
    accuracies = line(grid(result, recipe, regime), kind)
    if not np.isfinite(accuracies).all():
        return math.nan
    return float(-np.polyfit(shares(recipe, regime), accuracies, 1)[0] / 10)


def losses(found: Arms, layer: str, recipe: Recipe, regime: str, kind: str) -> list[float]:
    return [loss(result, recipe, regime, kind) for result in found.by_layer[layer]]


def log_ratio(result: JobResult, regime: str, kind: str) -> float:
    """Mean over shares and layers of log(attention on noisy neighbors / their share): below 0, they are listened to less."""
    attention, share = result.values(f"{regime}_attention_{kind}"), result.values(f"{regime}_share_{kind}")
    if not share or len(attention) % len(share):
        return math.nan
    layers = len(attention) // len(share)
    ratios = np.array(attention).reshape(len(share), layers) / np.array(share)[:, None]
    return float(np.log(ratios).mean()) if (ratios > 0).all() else math.nan


def fitted(found: Arms, recipe: Recipe) -> list[str]:
    """The arms whose training accuracy without noise is below the recipe's fit."""
    return [
        layer
        for layer, results in found.by_layer.items()
        if not mean_interval([result.value("train_accuracy") for result in results]).estimate >= recipe.fit
    ]
