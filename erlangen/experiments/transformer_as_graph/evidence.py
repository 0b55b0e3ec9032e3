"""From the results of transformer-as-graph to the numbers that verdicts and figures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from erlangen.experiments.transformer_as_graph import Recipe
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval, accuracy_difference, holm, mean_interval, paired_p_value

Where = Literal["most", "least", "nothing", "all"]

WORDS = {
    "self": "attention to oneself alone",
    "graph": "attention along the edges",
    "diluted": "attention along the edges and three random ones for each",
    "random": "attention along as many random edges",
    "complete": "attention to every node",
    "complete/walks": "attention to every node, told the return probabilities,",
    "complete/eigenvectors": "attention to every node, told the eigenvectors,",
    "graph/eigenvectors": "attention along the edges, told the eigenvectors,",
    "self/eigenvectors": "attention to oneself alone, told the eigenvectors,",
}

PAIRS: dict[str, tuple[str, str, Where]] = {
    "homophilous": ("graph", "complete", "most"),
    "heterophilous": ("graph", "complete", "least"),
    "uninformative": ("graph", "complete", "nothing"),
    "diluted": ("graph", "diluted", "most"),
    "mask": ("graph", "random", "most"),
    "everyone": ("complete", "self", "all"),
    "walks": ("complete/walks", "complete", "all"),
    "eigenvectors": ("complete/eigenvectors", "complete", "most"),
    "gap": ("graph", "complete/eigenvectors", "most"),
    "fair": ("graph/eigenvectors", "complete/eigenvectors", "most"),
    "listening": ("complete/eigenvectors", "self/eigenvectors", "most"),
}
"""By part: the arm said to be more accurate, the other, and where: see `Trained.places`."""

LISTENED = {
    "dilution": ("complete", "share_of_edges"),
    "dilution/class": ("complete", "attention_on_same_classes"),
    "dilution/eigenvectors": ("complete/eigenvectors", "attention_on_same_classes"),
}
"""By part: the arm whose attention on true edges is compared, and with what."""


@dataclass(frozen=True)
class Trained:
    """The trained arms: for each number of classes, homophily and arm the results by seed."""

    recipe: Recipe
    results: dict[tuple[int, float, str], dict[int, JobResult]]

    @classmethod
    def of(cls, recipe: Recipe, results: Sequence[JobResult]) -> Trained:
        found: dict[tuple[int, float, str], dict[int, JobResult]] = {}
        for result in results:
            if result.params["task"] == "train":
                classes, homophily = int(str(result.params["classes"])), float(str(result.params["homophily"]))
                found.setdefault((classes, homophily, str(result.params["arm"])), {})[result.seed] = result
        return cls(recipe, found)

    def places(self, classes: int, where: Where) -> tuple[float, ...]:
        """The homophilies at which neighbors are most alike, least alike, tell nothing; or all."""
        points = self.recipe.points(classes)
        return {"most": points[-1:], "least": points[:1], "nothing": (1 / classes,), "all": points}[where]

    def at(self, classes: int, homophily: float, arm: str) -> dict[int, JobResult]:
        return self.results.get((classes, homophily, arm), {})

    def seeds(self, classes: int, places: Sequence[float], *arms: str) -> list[int]:
        """Those for which all of the arms were measured at all of the places."""
        return sorted(set.intersection(*(set(self.at(classes, place, arm)) for place in places for arm in arms)))

    def accuracies(self, classes: int, places: Sequence[float], arm: str, seeds: Sequence[int]) -> list[float]:
        """Test accuracy by seed, its mean over the places."""
        found = [[self.at(classes, place, arm)[seed].value("test_accuracy") for place in places] for seed in seeds]
        return [float(np.mean(values)) for values in found]

    def values(self, classes: int, homophily: float, arm: str, name: str = "test_accuracy") -> list[float]:
        """A measurement of an arm, seed by seed."""
        found = self.at(classes, homophily, arm)
        return [found[seed].value(name) for seed in sorted(found)]

    def unfit(self, classes: int, places: Sequence[float], *arms: str) -> tuple[str, ...]:
        """The arms whose mean training accuracy is below the recipe's fit at one of the places."""
        least = {
            arm: [mean_interval(self.values(classes, place, arm, "train_accuracy")).estimate for place in places] for arm in arms
        }
        return tuple(arm for arm, means in least.items() if not all(mean >= self.recipe.fit for mean in means))


class Compared(NamedTuple):
    """A comparison: its interval, its p before and after Holm, the arms short of the fit, whether every seed was measured.

    For accuracies also both arms' means and the homophilies.
    """

    interval: Interval
    p: float
    unfit: tuple[str, ...]
    complete: bool
    adjusted: float = math.nan
    left: float = math.nan
    right: float = math.nan
    places: tuple[float, ...] = ()


def comparisons(trained: Trained) -> dict[str, Compared]:
    """Every comparison of G11 by part, accuracies as `part/classes`, with Holm's correction over all of them."""
    found: dict[str, Compared] = {}
    for part, (arm, base) in LISTENED.items():
        logs = log_ratios(trained, arm, base)
        interval, p = mean_interval(logs), paired_p_value(logs, [0.0] * len(logs))
        recipe = trained.recipe
        unfit = {name for classes in recipe.classes for name in trained.unfit(classes, recipe.points(classes), arm)}
        whole = len(logs) == trained.recipe.seeds
        found[part] = Compared(interval=interval, p=p, unfit=tuple(sorted(unfit)), complete=whole)
    for part, (left, right, where) in PAIRS.items():
        for classes in trained.recipe.classes:
            places = trained.places(classes, where)
            seeds = trained.seeds(classes, places, left, right)
            ours, theirs = (trained.accuracies(classes, places, arm, seeds) for arm in (left, right))
            images = sum(int(trained.at(classes, place, left)[seeds[0]].value("test_nodes")) for place in places) if seeds else 0
            found[f"{part}/{classes}"] = Compared(
                interval=accuracy_difference(ours, theirs, images),
                p=paired_p_value(ours, theirs),
                left=mean_interval(ours).estimate,
                right=mean_interval(theirs).estimate,
                places=places,
                unfit=trained.unfit(classes, places, left, right),
                complete=len(seeds) == trained.recipe.seeds,
            )
    adjusted = holm([compared.p for compared in found.values()])
    return {part: compared._replace(adjusted=p) for (part, compared), p in zip(found.items(), adjusted, strict=True)}


def log_ratio(result: JobResult, base: str) -> float:
    """Mean over layers of log(attention on true edges / base): above 0, they get more."""
    mass = result.values("attention_on_edges")
    beside = result.values(base) or (result.value(base),) * len(mass)
    ratios = np.array(mass) / np.array(beside) if len(mass) == len(beside) else np.array([math.nan])
    return float(np.log(ratios).mean()) if len(ratios) and (ratios > 0).all() else math.nan


def log_ratios(trained: Trained, arm: str, base: str) -> list[float]:
    """By seed, the mean of `log_ratio` over all block models; seeds that lack one are left out."""
    places = [(classes, point) for classes in trained.recipe.classes for point in trained.recipe.points(classes)]
    seeds = set.intersection(*(set(trained.at(*place, arm)) for place in places))
    return [float(np.mean([log_ratio(trained.at(*place, arm)[seed], base) for place in places])) for seed in sorted(seeds)]
