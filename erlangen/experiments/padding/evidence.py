"""Padding: the results in the order in which verdicts and figures want them, and the published numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from erlangen.experiments.kit.judging import published_numbers
from erlangen.experiments.padding import PRESETS, Recipe
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval, accuracy_difference

published = partial(published_numbers, "erlangen.experiments.padding")
"""The report's table and its rival's, from `published.json`."""


@dataclass(frozen=True)
class Evidence:
    """The results of the recipe's jobs: `nets` by row and seed, `exact` by task. What failed is simply not there."""

    recipe: Recipe
    nets: dict[str, dict[int, JobResult]]
    exact: dict[str, JobResult]

    def measured(self, row: str, name: str) -> list[float]:
        """One measurement of a row's nets, by seed."""
        return [result.value(name) for result in self.nets[row].values()]

    def complete(self, rows: Sequence[str], *names: str) -> bool:
        """Whether every seed asked for is there, its test accuracy and the measurements `names` finite numbers."""
        return all(
            len(self.nets[row]) == self.recipe.seeds and all(map(math.isfinite, self.measured(row, name)))
            for row in rows
            for name in ("test_accuracy", *names)
        )

    def unfit(self, rows: Sequence[str]) -> str:
        """Why no verdict may compare these rows: nets below the recipe's stated fit, in words; '' where all reached it."""
        below = [
            f"{row} seed {seed} ({result.value('validation_accuracy'):.1f} %)"
            for row in rows
            for seed, result in self.nets[row].items()
            if not result.value("validation_accuracy") >= self.recipe.fit
        ]
        return f"below the stated fit of {self.recipe.fit:g} % validation accuracy: {', '.join(below)}" if below else ""

    def pairs(self, row: str) -> tuple[list[float], list[float]]:
        """Measured and published test accuracies over the seeds that both have."""
        reference = published()["padding_table"][row]["test"]
        common = [seed for seed in self.nets[row] if seed < len(reference)]
        return [self.nets[row][seed].value("test_accuracy") for seed in common], [reference[seed] for seed in common]

    def difference(self, row: str) -> Interval:
        """Measured minus published test accuracy, paired by seed."""
        return accuracy_difference(*self.pairs(row), self.recipe.test)

    def as_published(self) -> bool:
        """Whether the nets were trained and tested with the source's protocol, in its precision."""
        names = ("protocol", "epochs", "patience", "train", "validation", "test")
        same = all(getattr(self.recipe, name) == getattr(PRESETS["standard"], name) for name in names)
        return same and all(net.precision == "float32" for seeds in self.nets.values() for net in seeds.values())


def gather(recipe: Recipe, results: Sequence[JobResult]) -> Evidence:
    """Sort results into nets and exact tasks. Every row of the recipe is there, with as many seeds as were measured."""
    nets: dict[str, dict[int, JobResult]] = {row: {} for row in recipe.rows}
    exact = {}
    for result in sorted(results, key=lambda result: result.seed):
        if result.params["task"] == "train":
            nets[f"{result.params['net']}/{result.params['padding']}"][result.seed] = result
        else:
            exact[str(result.params["task"])] = result
    return Evidence(recipe, nets, exact)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def listed(rows: Sequence[str]) -> str:
    """The paddings of some rows, in words."""
    return ", ".join(row.split("/")[1] for row in rows)
