"""From the results of noisy-neighbors to the numbers that verdicts and figures share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.noisy_neighbors import NAMES, Recipe
from erlangen.experiments.noisy_neighbors.tasks import Train
from erlangen.records.runs import JobResult

Quantity = Callable[[JobResult], float]


def layer_arm(evidence: Evidence, data: str, layer: str) -> Arm:
    """The results of one layer on one graph."""
    return replace(evidence.arm(Train, data=data, layer=layer), name=NAMES[layer])


def shares(recipe: Recipe, regime: str) -> tuple[float, ...]:
    """The shares of noise that a regime goes through."""
    return recipe.shares if regime == "test" else recipe.in_training


def grid(result: JobResult, recipe: Recipe, regime: str, name: str = "accuracy_by_noise_at_clean") -> np.ndarray:
    """Percent by share of noisy nodes (down) and edges (across); NaN where it was not measured."""
    n = len(shares(recipe, regime))
    values = result.values(f"{regime}_{name}")
    return np.array(values).reshape(n, n) if len(values) == n * n else np.full((n, n), math.nan)


def line(table: np.ndarray, kind: str) -> np.ndarray:
    """The entries along which one kind of noise rises, (shares,): the first column, the first row, or the diagonal."""
    along: dict[str, np.ndarray] = {"nodes": table[:, 0], "edges": table[0], "both": table.diagonal()}
    return along[kind]


def loss(recipe: Recipe, kinds: Sequence[str], regime: str) -> Quantity:
    """Points of accuracy lost per 10 % of noise, a mean over kinds of noise: less the slope of the least-squares line."""

    def slope(result: JobResult) -> float:
        lines = np.array([line(grid(result, recipe, regime), kind) for kind in kinds])  # (kinds, shares)
        if not np.isfinite(lines).all():
            return math.nan
        return float(-np.polyfit(shares(recipe, regime), lines.T, 1)[0].mean() / 10)

    return slope


def training_fit(recipe: Recipe, kinds: Sequence[str], regime: str) -> Quantity:
    """Least training accuracy, in percent, of the nets behind a loss: of one trained without noise, or one for each share."""
    if regime == "test":
        return lambda result: result.value("train_accuracy")
    return lambda result: min(float(line(grid(result, recipe, regime, "fit_by_noise"), kind).min()) for kind in kinds)


def attention_ratio(kind: str, regime: str) -> Quantity:
    """Attention on noisy neighbors over their share, a geometric mean over shares and layers: below 1 they get less."""

    def ratio(result: JobResult) -> float:
        attention, share = result.values(f"{regime}_attention_{kind}"), result.values(f"{regime}_share_{kind}")
        if not share or len(attention) % len(share):
            return math.nan
        ratios = np.array(attention).reshape(len(share), -1) / np.array(share)[:, None]  # (shares, layers)
        return float(np.exp(np.log(ratios).mean())) if (ratios > 0).all() else math.nan

    return ratio
