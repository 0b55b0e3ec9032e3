"""Depth, and the node itself: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import altair as alt

from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.experiments.oversmoothing import ARMS, PROPAGATED, Recipe
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.intervals import Interval, mean_interval

NAMES = {
    "root": "with B",
    "none": "without B",
    "loops": "self-loops",
    "wide": "wider without B",
    "alone": "no neighbors",
}
COLORS = alt.Scale(domain=list(NAMES.values()), range=["#D55E00", "#0072B2", "#009E73", "#56B4E9", "#999999"])

COLUMNS = ("arm", "panel", "depth", "mean", "low", "high")
Mean = Callable[[Sequence[float]], Interval]


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean and its interval; what is 0 counts as 10⁻¹², below all that is not."""
    return mean_interval([math.log(max(value, 1e-12)) for value in values]).exp()


def curves(recipe: Recipe, results: Sequence[JobResult], panels: Mapping[str, tuple[str, Mean]]) -> list[tuple[Scalar, ...]]:
    """(arm, panel, depth, mean, low, high) for each arm, measurement and depth that has nets."""
    rows: list[tuple[Scalar, ...]] = []
    trained = [result for result in results if result.params["task"] == "train"]
    for arm, (panel, (name, mean)), depth in product(ARMS, panels.items(), recipe.depths):
        values = [r.value(name) for r in trained if r.params["arm"] == arm and r.params["depth"] == depth]
        interval = mean([value for value in values if math.isfinite(value)])
        if math.isfinite(interval.estimate):
            ends = [None if math.isnan(end) else float(f"{end:.4g}") for end in (interval.low, interval.high)]
            rows.append((NAMES[arm], panel, depth, float(f"{interval.estimate:.4g}"), *ends))
    return rows


def lines(rows: list[tuple[Scalar, ...]], panels: Sequence[str], y: str, logarithmic: bool) -> dict[str, object]:
    """A panel each, a line with its band for each arm, depth doubling from tick to tick."""
    scale = alt.Scale(type="log") if logarithmic else alt.Scale(domain=[0, 100])
    base = alt.Chart(records(COLUMNS, rows)).encode(
        x=alt.X("depth:Q", scale=alt.Scale(type="log", base=2), title="layers"),
        color=alt.Color("arm:N", title=None, scale=COLORS, legend=alt.Legend(symbolOpacity=1)),
    )
    powers = alt.Axis(values=[10.0**power for power in range(-12, 3)], format=".0e")
    at = alt.Y("low:Q", title=y, scale=scale, axis=powers) if logarithmic else alt.Y("low:Q", title=y, scale=scale)
    bands = base.mark_area(opacity=0.15).encode(y=at, y2="high:Q")
    drawn = base.mark_line(point=True).encode(y=alt.Y("mean:Q", scale=scale), tooltip=tooltip(COLUMNS, rows))
    chart = (bands + drawn).properties(width=250, height=220)
    return spec(chart.facet(alt.Facet("panel:N", title=None, sort=list(panels)), columns=2))


def accuracy_figure(recipe: Recipe, results: Sequence[JobResult]) -> Figure:
    panels: dict[str, tuple[str, Mean]] = {
        "test": ("test_accuracy", mean_interval), "training": ("train_accuracy", mean_interval),
    }  # fmt: skip
    rows = curves(recipe, results, panels)
    found = [result for result in results if result.params["task"] == "train"]
    commonest = found[0].value("commonest_class")
    return Figure(
        name="accuracy",
        title="Accuracy over depth",
        caption=f"Mean and 95 % interval over {recipe.seeds} seeds, {recipe.data}. Where training accuracy falls too, the "
        f"deep net does not fit at all. Naming the commonest class for every node scores about {commonest:.0f} %.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=lines(rows, list(panels), "accuracy, %", logarithmic=False),
    )


def smoothness_figure(recipe: Recipe, results: Sequence[JobResult]) -> Figure:
    panels = {
        "energy, random weights": ("random_energy", geometric), "energy, trained": ("trained_energy", geometric),
        "distance, random weights": ("random_distance", geometric), "distance, trained": ("trained_distance", geometric),
    }  # fmt: skip
    rows = curves(recipe, results, panels)
    return Figure(
        name="smoothness",
        title="How unlike the nodes are, over depth",
        caption="Last convolution's features: Dirichlet energy over ‖H‖² and mean cosine distance of all pairs; geometric mean "
        "and its 95 % interval over seeds, 0 drawn as 10⁻¹². Without neighbors nothing is averaged: what falls there "
        "is the work of depth and relu.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=lines(rows, list(panels), "mean", logarithmic=True),
    )


def propagation_figure(recipe: Recipe, found: list[JobResult]) -> Figure:
    """Energy and distance without weights, from depth 0 on."""
    depths = (0, *recipe.depths)
    rows: list[tuple[Scalar, ...]] = []
    for arm, name in product(PROPAGATED, ("energy", "distance")):
        tables = [result.values(name) for result in found if result.params["arm"] == arm]
        for depth, values in zip(depths, zip(*tables, strict=True), strict=False):
            interval = geometric(values)
            ends = [None if math.isnan(end) else float(f"{end:.4g}") for end in (interval.low, interval.high)]
            rows.append((NAMES[arm], name, depth + 1, float(f"{interval.estimate:.4g}"), *ends))
    described = lines(rows, ["energy", "distance"], "mean", logarithmic=True)
    return Figure(
        name="propagation",
        title="Averaging alone, without weights",
        caption="D⁻¹A; with B = I; with self-loops. Depth is counted from 1 here, which is no averaging at all.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=described,
    )
