"""Temperature and top-p: the outcomes by setting, with the table behind them."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, clipped, dots
from erlangen.experiments.sampling import OUTCOMES, REGIMES, Recipe
from erlangen.experiments.sampling.evidence import HELD_OUT, mean, nets
from erlangen.experiments.sampling.tasks import LOSS, SETTINGS, SOURCE, Regime, label
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval

LINES = {
    HELD_OUT: "held-out text",
    **{label(setting): f"{label(setting)}{' (report)' if setting in SOURCE else ''}" for setting in SETTINGS},
}
NAMES: dict[Regime, str] = {"memorizing": "know their text by heart", "stopped": "stopped early"}
COLORS = dict(zip(NAMES.values(), (PALETTE[1], PALETTE[0]), strict=True))
COLUMNS = ("outcome", "nets", "setting", "mean", "low", "high")


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """The outcomes that a reader can see, then the loss, which changes by definition."""
    colors = {NAMES[regime]: COLORS[NAMES[regime]] for regime in recipe.regimes}
    drawn = [outcome_figure(evidence, colors), loss_figure(evidence, colors)]
    return [figure for figure in drawn if figure.rows]


def rows_of(evidence: Evidence, outcome: str, name: str) -> list[Row]:
    """A dot for each setting and regime, with its interval over nets and prompts."""
    return [
        (name, NAMES[regime], line, *cells(shown(mean(nets(evidence, regime), setting, outcome), outcome)))
        for regime in REGIMES
        for setting, line in LINES.items()
        if math.isfinite(mean(nets(evidence, regime), setting, outcome).estimate)
    ]


def shown(interval: Interval, outcome: str) -> Interval:
    """A share in percent, within 0 and 100; a loss as it is."""
    if outcome == LOSS:
        return clipped(interval, 0, math.inf)
    estimate, low, high, n = interval
    return clipped(Interval(100 * estimate, 100 * low, 100 * high, n))


def outcome_figure(evidence: Evidence, colors: dict[str, str]) -> Figure:
    """What a reader of the texts can see."""
    rows = [row for outcome, (name, _) in OUTCOMES.items() for row in rows_of(evidence, outcome, name)]
    return Figure(
        name="outcomes",
        title="What is written, by temperature and top-p",
        caption="Percent, mean and 95 % interval over nets and prompts, by temperature/top-p. "
        + " ".join(f"{name[0].upper()}{name[1:]}: {quantity}." for name, quantity in OUTCOMES.values()),
        columns=COLUMNS,
        rows=tuple(rows),
        spec=dots(
            COLUMNS, rows, x="mean", y="setting", order=list(LINES.values()), color="nets", colors=colors, panel="outcome",
            panels=[name for name, _ in OUTCOMES.values()], panel_columns=3, same_x=False, title="%",
        ),
    )  # fmt: skip


def loss_figure(evidence: Evidence, colors: dict[str, str]) -> Figure:
    """What temperature and top-p change by definition: likelier characters are drawn more often."""
    rows = rows_of(evidence, LOSS, "loss")
    return Figure(
        name="loss",
        title="Loss of a text under the net that wrote it",
        caption="Nats per character, mean and 95 % interval over nets and prompts. It falls with temperature and top-p by "
        "definition, so it shows only that both were turned.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=dots(
            COLUMNS, rows, x="mean", y="setting", order=list(LINES.values()), color="nets", colors=colors,
            title="nats per character",
        ),
    )  # fmt: skip
