"""Padding causes: the figure that sets the accuracy against what each theory names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, Spec, layout, palette, records, significant, tooltip
from erlangen.experiments.padding_causes.evidence import MAPS, arms_of
from erlangen.experiments.padding_causes.ranks import LEAST_ARMS, rank_correlation
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.records.runs import Figure

THEORIES = {
    "cells of the last map": "cells",
    "height in the features, R²": "place_r2",
    "height before training, R²": "place_r2_untrained",
    "weights that never meet a box, %": "never_met",
}
OF_MAPS = ("cells", "never_met")  # what is said of nets that pad zeros alone
FAMILIES = dict(zip(("valid", "sconv", "fconv", "reflect", "replicate"), PALETTE, strict=False))
COLUMNS = ("cause", "padding", "net", "value", "accuracy")


def causes(recipe: Recipe, evidence: Evidence) -> Figure:
    """A panel for each theory, a dot for each net."""
    arms = {name: arm for name, arm in arms_of(recipe, evidence, recipe.arms).items() if arm.results}
    rows: list[Row] = []
    for title, quantity in THEORIES.items():
        shown = {name: arm for name, arm in arms.items() if name in MAPS or quantity not in OF_MAPS}
        panel = heading(title, shown, quantity)
        rows += [(panel, name.split()[0], name, *point(arm, quantity)) for name, arm in shown.items()]
    return Figure(
        name="causes",
        title="Which explanation puts the nets in the order of their accuracy?",
        caption="Each dot is a net; means over seeds. Across: what each explanation names. Up: test accuracy with the heights "
        "swapped, 0 % for a net that reads the height of the boxes and 100 % for one that reads their order. ρ: rank "
        "correlation, mean over seeds. Height in the features: R² of a linear probe. Weights that never meet a box: the share of "
        "the weights' paths from the boxes to the pool that the border cuts off. That and the cells: of nets that pad zeros, or "
        "nothing.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=scatter(rows),
    )


def heading(title: str, arms: Mapping[str, Arm], quantity: str) -> str:
    """'cells of the last map (ρ 0.52)'"""
    rho = rank_correlation(arms, quantity).interval(0.95).estimate if len(arms) >= LEAST_ARMS else math.nan
    return f"{title} (ρ {rho:.2f})" if math.isfinite(rho) else title


def point(arm: Arm, quantity: str) -> tuple[float | None, float | None]:
    """What the theory names, and the accuracy."""
    named, accuracy = arm.mean(quantity).estimate, arm.mean("test_accuracy").estimate
    return significant(100 * named if quantity == "never_met" else named), significant(accuracy)


def scatter(rows: Sequence[Row]) -> Spec:
    """The panels, two side by side."""
    panels = list(dict.fromkeys(str(row[0]) for row in rows))
    families = {name: FAMILIES[name] for name in FAMILIES if name in {row[1] for row in rows}}
    chart = (
        alt.Chart(records(COLUMNS, rows))
        .mark_circle(size=110, opacity=0.8)
        .encode(
            x=alt.X("value:Q", title=None, scale=alt.Scale(zero=False, padding=12, nice=False)),
            y=alt.Y("accuracy:Q", title="test accuracy, %", scale=alt.Scale(domain=[0, 100], padding=8, nice=False)),
            color=alt.Color("padding:N", title=None, scale=palette(families)),
            tooltip=tooltip(COLUMNS, rows),
        )
    )
    return layout(chart, 200, "cause", panels, 2, {"x": "independent"})
