"""The scale of attention: the heads of a GPT, before training and after."""

from __future__ import annotations

import math
from itertools import product

from erlangen.experiments.attention_scale import Recipe
from erlangen.experiments.attention_scale.statements import POSITION_NAMES
from erlangen.experiments.attention_scale.tasks import POSITIONS, Language
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, dots
from erlangen.experiments.kit.texts import text_title
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval

COLUMNS = ("head", "when", "positions", "due to the means, %", "low", "high", "mean", "variance", "d · σ⁴")
"""Mean and variance are those of q · k. Vega-Lite reads brackets in a name as an index."""

WHEN = {"before": "before training", "after": "after training"}


def head_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """How much of E[(q · k)²] is due to the means, head by head; mean and variances stand in the table."""
    names = [f"layer {layer + 1}, head {head + 1}" for layer in range(recipe.layers) for head in range(recipe.heads)]
    rows: list[Row] = []
    for positions, (when, title), (place, name) in product(POSITIONS, WHEN.items(), enumerate(names)):
        found = {
            quantity: over_nets(evidence, positions, f"{when} {quantity}", place)
            for quantity in ("from means", "mean", "variance", "independent")
        }
        if math.isfinite(found["from means"].estimate):
            share = percent(found["from means"])
            others = [cells(found[quantity], 3)[0] for quantity in ("mean", "variance", "independent")]
            rows.append((name, title, POSITION_NAMES[positions], *cells(share, 3), *others))
    return Figure(
        name="heads",
        title=f"Queries and keys of a small GPT on {text_title(recipe.corpus)}",
        caption="How much of E[(q · k)²] is gone when the mean query and the mean key are subtracted. For independent entries "
        "with mean 0, E[q · k] would be 0, the variance d · σ⁴, and the share 0. Mean and 95 % interval over seeds.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=dots(
            COLUMNS, rows, x=COLUMNS[3], y="head", title="% of E[(q · k)²] that is due to the means", color="when",
            colors=tuple(WHEN.values()), order=names, panel="positions", panels=list(POSITION_NAMES.values()),
        ),
    )  # fmt: skip


def over_nets(evidence: Evidence, positions: str, name: str, place: int) -> Interval:
    """The mean over nets of one head's entry."""
    values = [result.values(name) for result in evidence.of(Language, positions=positions)]
    return mean_interval([row[place] if place < len(row) else math.nan for row in values])


def percent(share: Interval) -> Interval:
    """A share of 1 as one of 100 %, which no end exceeds."""
    estimate, low, high = (100 * end for end in share[:3])
    return Interval(estimate, low, min(high, 100.0), share.n)
