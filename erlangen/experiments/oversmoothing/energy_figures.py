"""Depth, and the node itself: figures of energy, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, curves
from erlangen.experiments.oversmoothing import Recipe
from erlangen.experiments.oversmoothing.evidence import NAMES, at_depth, nets, starts
from erlangen.experiments.oversmoothing.tasks import KINDS, PROPAGATED, Propagate
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval

COLORS = dict(zip(("root", "none", "residual", "alone", "tanh", "tanh large", "loops"), PALETTE, strict=True))
FLOOR = 1e-12  # what an energy of 0 is drawn as


def colors_of(names: Sequence[str]) -> dict[str, str]:
    """A color for each title; an arm has the same one in every figure."""
    return {NAMES[name]: COLORS[name] for name in names}


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean and its interval; 0 counts as FLOOR, which is below everything else."""
    return mean_interval([math.log(max(value, FLOOR)) for value in values]).exp()


def energy_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Energy and distance over depth, before and after training; the table has every arm."""
    columns = ("nets", "panel", "layers", "mean", "low", "high", "distance")
    rows: list[Row] = []
    for name, depth in product(KINDS, recipe.depths):
        place, before = at_depth(recipe, depth), list(starts(recipe, evidence, name).results.values())
        after = list(nets(recipe, evidence, name, depth).arm.results.values())
        pairs = {
            "before training": [[r.values(kind)[place] for r in before if r.values(kind)] for kind in ("energy", "distance")],
            "after training": [[r.value(kind) for r in after] for kind in ("energy", "distance")],
        }
        for panel, kinds in pairs.items():
            energy, distance = (geometric([value for value in values if math.isfinite(value)]) for values in kinds)
            if math.isfinite(energy.estimate):
                rows.append((NAMES[name], panel, depth, *cells(energy), cells(distance)[0]))
    drawn = colors_of([name for name in COLORS if name != "loops"])
    return Figure(
        name="energy",
        title="How different the nodes' features are, over depth",
        caption="Features of the last convolution: Dirichlet energy over ‖H‖²; in the table also the mean cosine distance of all "
        "pairs of nodes. Geometric mean and 95 % interval over seeds. The lower a line falls, the more alike the nodes become.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, [row for row in rows if row[0] in drawn], x="layers", y="mean", color="nets", colors=drawn, panel="panel",
            panels=["before training", "after training"], y_title="Dirichlet energy over ‖H‖²", log_x=2, log_y=True,
        ),
    )  # fmt: skip


def propagation_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Energy and distance without weights, from depth 0 on, on the giant component and on the whole graph."""
    columns = ("nets", "panel", "layers", "mean", "low", "high", "distance")
    rows: list[Row] = []
    panels = {"giant": "giant component", "whole": "whole graph"}
    drawn = {arm: "residual" if arm == "root" else arm for arm in PROPAGATED}  # without weights, B is I
    for (component, panel), arm in product(panels.items(), PROPAGATED):
        results = evidence.of(Propagate, arm=arm, component=component)
        tables = [zip(*(result.values(kind) for result in results), strict=True) for kind in ("energy", "distance")]
        for depth, energies, distances in zip((0, *recipe.depths), *tables, strict=False):
            rows.append((NAMES[drawn[arm]], panel, depth, *cells(geometric(energies)), cells(geometric(distances))[0]))
    return Figure(
        name="propagation",
        title="Averaging alone, without weights",
        caption="The features themselves (0 layers), then averaged once per layer: by D⁻¹A, with B = I, or with self-loops. "
        "Energy as above. Small components never mix with the rest, and those with two nodes only swap features without B: on "
        "the whole graph they hide what happens on its giant component.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="layers", y="mean", color="nets", colors=colors_of(list(drawn.values())), panel="panel",
            panels=list(panels.values()), y_title="Dirichlet energy over ‖H‖²", log_y=True,
        ),
    )  # fmt: skip
