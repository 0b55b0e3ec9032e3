"""Rotation: its figures in their order, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, curves, dots, significant
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.angle_figure import TITLES, nets_figure, rotated_figure, upright_figure
from erlangen.experiments.rotation.claims import PEAKS, images_title
from erlangen.experiments.rotation.evidence import arm, last_epoch, over_both, peak, right, table
from erlangen.experiments.rotation.tasks import angles
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.crossed import crossed_interval
from erlangen.statistics.intervals import Interval

SHOWN = {  # how the images of a peak are shown: the arm, and its view
    "{interpolation}": ("plain", "turned"),
    "{other}": ("plain", "other interpolation"),
    "mean color": ("plain", "mean fill"),
    "reflected": ("plain", "reflect fill"),
    "inside a disk": ("disk", "turned"),
}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """The answers' figures first; those of which nothing was measured are left out."""
    made = [f(recipe, evidence) for f in (upright_figure, rotated_figure, peaks, nets_figure, learning, costs)]
    return [figure for figure in made if figure.rows]


def peaks(recipe: Recipe, evidence: Evidence) -> Figure:
    """The height of each peak, by how images are filled where they are turned, and inside a disk."""
    columns = ("peak", "images", "height", "low", "high")
    made: list[Row] = []
    names = {title.format(interpolation=recipe.interpolation, other=other(recipe)): shown for title, shown in SHOWN.items()}
    for angle in PEAKS:
        for title, (name, view) in names.items():
            height = peak_height(recipe, arm(evidence, name), name, view, angle)
            made += [(f"{angle}°", title, *cells(height))] if math.isfinite(height.estimate) else []
    drawn = [title for title in names if any(row[1] == title for row in made)]
    return Figure(
        name="peaks",
        title="The peaks at quarter turns, with corners and without",
        caption="Accuracy at an angle minus the mean of those 30° to either side, in points, with 95 % intervals over seeds and "
        "test images. Turning by 30° brings black corners into view, by 90° none. Drawn are the two interpolations with black "
        "corners, corners of the image's mean color or filled by reflection, and a net that never saw corners: trained and "
        "tested inside the inscribed disk.",
        columns=columns,
        rows=tuple(made),
        spec=dots(
            columns, made, x="height", y="peak", color="images", colors=dict(zip(drawn, PALETTE, strict=False)), reference=0,
            title="points above the neighboring angles", order=[f"{angle}°" for angle in PEAKS],
        ),
    )  # fmt: skip


def other(recipe: Recipe) -> str:
    """The interpolation that the recipe did not choose."""
    return "bilinear" if recipe.interpolation == "nearest" else "nearest"


def peak_height(recipe: Recipe, net: Arm, name: str, view: str, angle: int) -> Interval:
    """The mean height of a peak; the views other than the first are measured after the last epoch only."""
    epochs = recipe.epochs if view == "turned" else last_epoch(recipe, name)
    effect = over_both(lambda result: peak(recipe, right(result, epochs, view), angle), net)
    if effect.missing or effect.not_finite:
        return Interval(math.nan, math.nan, math.nan, 0)
    return effect.interval(0.95)


def learning(recipe: Recipe, evidence: Evidence) -> Figure:
    """Upright accuracy in validation, epoch by epoch."""
    columns = ("net", "epoch", "accuracy")
    names = {name: TITLES[name] for name in recipe.arms}
    made: list[Row] = []
    for name, title in names.items():
        results = list(arm(evidence, name).results.values())
        for epoch, values in enumerate(zip(*(by_epoch(result) for result in results), strict=False), 1):
            made.append((title, epoch, significant(sum(values) / len(values))))
    return Figure(
        name="learning",
        title="Upright accuracy while training",
        caption=f"Accuracy on upright validation images of {images_title(recipe.data)} in percent, mean over seeds.",
        columns=columns,
        rows=tuple(made),
        spec=curves(
            columns, made, x="epoch", y="accuracy", low=None, high=None, color="net",
            colors=dict(zip(names.values(), (*PALETTE, "#222222", "#8B5A2B"), strict=False)), y_title="accuracy in %",
        ),
    )  # fmt: skip


def by_epoch(result: JobResult) -> list[float]:
    """Upright accuracy in validation; NaN where it was not a finite number."""
    return [math.nan if value is None else value for value in result.values("validation upright by epoch")]


def costs(recipe: Recipe, evidence: Evidence) -> Figure:
    """What each net costs and what it reaches."""
    columns = ("net", "parameters", "multiply-adds", "learning rate", "epochs", "upright", "quarter turns", "other angles")
    made: list[Row] = []
    for name in recipe.arms:
        net, last = arm(evidence, name), last_epoch(recipe, name)
        quarters = [angles(recipe.step).index(angle) for angle in PEAKS]
        rest = [at for at in range(1, len(angles(recipe.step))) if at not in quarters]
        reached = [accuracies(net, last, chosen) for chosen in ([0], quarters, rest)]
        if all(map(math.isfinite, reached)):
            rates = ", ".join(f"{rate:g}" for rate in sorted(set(net.values("rate").values())))
            numbers = [round(net.mean(what).estimate) for what in ("parameters", "multiply-adds")]
            made.append((TITLES[name], *numbers, rates, last, *(significant(share, 3) for share in reached)))
    return Figure(
        name="costs",
        title="What each net costs and reaches",
        caption="Numbers of parameters and of multiply-adds per image and forward pass; learning rates; accuracies in percent, "
        "mean over seeds: on upright images, turned by 90°, 180° and 270°, and at the other angles.",
        columns=columns,
        rows=tuple(made),
    )


def accuracies(net: Arm, epochs: int, chosen: list[int]) -> float:
    """The mean accuracy over some angles."""
    return crossed_interval(table(lambda result: right(result, epochs)[chosen].mean(0), net)).estimate
