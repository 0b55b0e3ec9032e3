"""Temperature and top-p: the outcomes by setting, with the table behind them."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, clipped, dots
from erlangen.experiments.sampling import OUTCOMES, Recipe
from erlangen.experiments.sampling.evidence import HELD_OUT, mean, nets
from erlangen.experiments.sampling.tasks import SETTINGS, SOURCE, label
from erlangen.records.runs import Figure

LINES = {
    HELD_OUT: "held-out text",
    **{label(setting): f"{label(setting)}{' (report)' if setting in SOURCE else ''}" for setting in SETTINGS},
}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """A dot for each setting, with its interval over nets and prompts; a line of its own for held-out text."""
    arm = nets(evidence)
    columns = ("outcome", "setting", "mean", "low", "high")
    rows: list[Row] = [
        (name, line, *cells(clipped(interval, 0, math.inf if "loss" in outcome else 1)))
        for outcome, (name, _) in OUTCOMES.items()
        for setting, line in LINES.items()
        if math.isfinite((interval := mean(arm, setting, outcome)).estimate)
    ]
    if not rows:
        return []
    names = [name for name, _ in OUTCOMES.values()]
    return [
        Figure(
            name="outcomes",
            title="What is written, by temperature and top-p",
            caption="Mean and 95 % interval over nets and prompts, by temperature/top-p. "
            + " ".join(f"{quantity}: {name}." for name, quantity in OUTCOMES.values()),
            columns=columns,
            rows=tuple(rows),
            spec=dots(
                columns, rows, x="mean", y="setting", order=list(LINES.values()), panel="outcome", panels=names,
                same_x=False,
            ),
        )
    ]  # fmt: skip
