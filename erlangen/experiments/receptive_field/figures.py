"""Receptive field: figures, each with the table behind it."""

from __future__ import annotations

import math
from statistics import median

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, Spec, cells as numbers, clipped, curves, significant
from erlangen.experiments.receptive_field.evidence import arm, best, common, count, counted, learned, settings_of
from erlangen.experiments.receptive_field.pictures import fields_figure
from erlangen.experiments.receptive_field.plan import CELLS, DEEP, DEEPEST, EASY, SHALLOW, Cell, cells, net_title
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.tasks import Effect, Extent
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval

DRAWN = [
    ("plain", SHALLOW), ("plain", DEEP), ("plain", DEEPEST), ("dilated", SHALLOW), ("residual", DEEP), ("spread", DEEP),
    ("relative", 1),
]  # fmt: skip
THEORY = "theoretical: half its side"


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Pictures of fields; what is learned at which distance; growth with the depth; what training does; settings; extents."""
    made = [
        fields_figure(recipe, evidence),
        learned_figure(recipe, evidence),
        growth_figure(recipe, evidence),
        training_figure(recipe, evidence),
        settings_table(recipe, evidence),
        extents_table(evidence),
    ]
    return [figure for figure in made if figure.rows]


def learned_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The share of trainings of each net that learn each distance."""
    columns = ("net", "field", "distance", "trainings", "learned", "low", "high")
    rows: list[Row] = []
    titles = [net_title(net, layers) for net, layers in DRAWN]
    for cell in cells(recipe):
        values = list(arm(evidence, cell).values(learned).values())
        share = counted([value for value in values if math.isfinite(value)], 0.95)
        if cell.title in titles and math.isfinite(share.estimate):
            percent = Interval(100 * share.estimate, 100 * share.low, 100 * share.high, share.n)
            rows.append((cell.title, cell.field or "all columns", cell.distance, share.n, *numbers(percent)))
    return Figure(
        name="learned",
        title="Which distances a net learns",
        caption="Percent of trainings that end with every image right; the table has 95 % intervals. Two marks on a torus are so "
        "many columns apart, or two more; a place of a CNN sees both only where the distance is less than its field. A spread "
        f"start gives the outer columns of each kernel more weight. At most {recipe.steps:,} updates. Pool and learning rate: "
        "those that are best for the other half of the seeds.",
        columns=columns,
        rows=tuple(rows),
        spec=wrapped(
            curves(
                columns, rows, x="distance", y="learned", color="net", colors=titles, x_title="distance of the marks, columns",
                y_title="trainings that learn it, %", domain=(-3, 103), low=None, high=None,
            )
        ),
    )  # fmt: skip


def wrapped(spec: Spec, columns: int = 4) -> Spec:
    """The legend of many colors in several rows, or its end is cut off."""
    layers = [
        {**layer, "encoding": {**layer["encoding"], "color": {**layer["encoding"]["color"], "legend": {"columns": columns}}}}
        for layer in spec["layer"]
    ]
    return {**spec, "layer": layers}


def growth_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The effective field by depth, untrained and trained, beside the theoretical one."""
    columns = ("field", "layers", "pixels", "low", "high")
    lines = {"untrained": "plain", "untrained, with residual connections": "residual"}
    rows: list[Row] = [(THEORY, layers, layers, layers, layers) for layers in recipe.depths]
    for title, net in lines.items():
        for layers in recipe.depths:
            values = list(evidence.arm(Effect, net=net, layers=layers).values("deviation").values())
            rows += line(title, layers, values)
    trained = f"trained on {EASY} columns"
    for cell in CELLS:
        if cell.net == "plain" and cell.distance == EASY:
            taught = [result for result in arm(evidence, cell).results.values() if learned(result) == 1]
            rows += line(trained, cell.layers, [result.value("deviation_after") for result in taught])
    return Figure(
        name="growth",
        title="The field of a CNN by depth: theoretical and effective",
        caption="Effective: the standard deviation of the squared gradient along a row; mean and 95 % interval over seeds. On "
        "these axes a line of slope 1 grows by a fixed amount a layer, and one of slope 1/2 with the square root of the depth. "
        "Trained: plain CNNs that have learned.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="layers", y="pixels", color="field", colors=[THEORY, *lines, trained], log_x=2, log_y=True,
            y_title="pixels on either side", low=None, high=None,
        ),
    )  # fmt: skip


def line(title: str, layers: int, values: list[float]) -> list[Row]:
    """One point of a line: the mean of those values that are numbers."""
    finite = [value for value in values if math.isfinite(value)]
    interval = clipped(mean_interval(finite), 0.0, math.inf)
    return [(title, layers, *numbers(interval))] if finite else []


def training_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """How much each column around an output counts before training and after it, for nets that have learned a far distance."""
    columns = ("net", "when", "column", "squared gradient")
    distance = recipe.distances[-1] if recipe.distances else 0
    wanted = [Cell("plain", DEEP, min(distance, 16)), Cell("dilated", SHALLOW, distance), Cell("relative", 1, distance)]
    rows: list[Row] = []
    titles = [f"{cell.title}, {cell.distance} columns" for cell in wanted]
    for title, cell in zip(titles, wanted, strict=True):
        taught = [result for result in arm(evidence, cell).results.values() if learned(result) == 1]
        for when in ("before", "after"):
            profiles = [result.values(f"columns_{when}") for result in taught]
            rows += profile(title, f"{when} training", [one for one in profiles if one and all(map(math.isfinite, one))])
    return Figure(
        name="training",
        title="What training does to the field",
        caption="Squared gradient of the features of one place with respect to each column, as a share of the largest; mean over "
        "the seeds that have learned. To tell the distance of two marks, a place must see both: training widens a CNN's field as "
        "far as it must. Attention reads all columns from the start, and learns to give others more weight beside its own.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="column", y="squared gradient", low=None, high=None, color="when",
            colors=["before training", "after training"], x_title="columns from the place", y_title="share of the largest, log",
            panel="net", panels=titles, panel_columns=3, log_y=True,
        ),
    )  # fmt: skip


def profile(title: str, when: str, profiles: list[tuple[float, ...]]) -> list[Row]:
    """The mean over seeds, column by column, over its largest value; columns that count for nothing are left out."""
    if not profiles:
        return []
    means = [sum(values) / len(profiles) for values in zip(*profiles, strict=True)]
    middle, largest = len(means) // 2, max(means)
    shares = [(column - middle, value / largest) for column, value in enumerate(means)]
    return [(title, when, column, significant(share, 3)) for column, share in shares if share > 1e-6]


def settings_table(recipe: Recipe, evidence: Evidence) -> Figure:
    """Every pool and learning rate that was tried."""
    rows: list[Row] = []
    for cell in cells(recipe):
        settings = settings_of(evidence, cell)
        chosen = best(settings, common(settings)) if settings else None
        for (pool, rate), results in settings.items():
            taught = [result.value("updates") for result in results.values() if learned(result) == 1]
            rows.append(
                (cell.title, cell.distance, pool, rate, len(results), count(list(results.values())),
                 significant(median(taught)) if taught else None, "best" if (pool, rate) == chosen else "")
            )  # fmt: skip
    return Figure(
        name="settings",
        title="Pools and learning rates",
        caption="Trainings that have learned, and the median of the updates they took, at every pool and learning rate tried.",
        columns=("net", "distance", "pool", "learning rate", "trainings", "learned", "updates", "choice"),
        rows=tuple(rows),
    )


def extents_table(evidence: Evidence) -> Figure:
    """The theoretical fields as they were counted."""
    rows: list[Row] = []
    for result in evidence.of(Extent):
        kernel = int(str(result.params["kernel"]))
        title = f"{result.params['field']}, {kernel}×{kernel}" if kernel else f"{result.params['field']} attention"
        rows += [(title, layers, size) for layers, size in enumerate(result.values("read"), start=1)]
    return Figure(
        name="extents",
        title="Theoretical fields",
        caption="Pixels of the side of a field, or tokens that the last of a sequence reads, counted by gradients in float64.",
        columns=("net", "layers", "read"),
        rows=tuple(rows),
    )
