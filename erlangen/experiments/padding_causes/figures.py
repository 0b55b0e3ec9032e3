"""Padding causes: figures, each with the table behind it."""

from __future__ import annotations

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import Row, cells, clipped, curves, dots, significant
from erlangen.experiments.padding_causes.cause_figure import causes
from erlangen.experiments.padding_causes.copy_table import copy_table
from erlangen.experiments.padding_causes.evidence import arms_of, framed_arm, sized_arm
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import accuracy_interval

AXES = (
    "fconv", "reflect", "reflect rows", "reflect columns", "replicate", "replicate rows", "replicate columns", "replicate x0.5",
    "replicate x2",
)  # fmt: skip
SHOWN = {"training heights": "validation_accuracy", "swapped heights": "test_accuracy"}
HELD = {
    "height before": "place_r2_untrained", "height": "place_r2", "order": "order_r2", "column": "column_r2",
    "shuffled": "shuffled_r2",
}  # fmt: skip


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """The three causes, then one axis at a time, the margin, every arm in numbers, and what is copied."""
    made = [
        causes(recipe, evidence),
        axes(recipe, evidence),
        margins(recipe, evidence),
        arm_table(recipe, evidence),
        copy_table(evidence),
    ]
    return [figure for figure in made if figure.rows]


def trained(recipe: Recipe, evidence: Evidence) -> dict[str, Arm]:
    """The arms that have results, on the report's images."""
    return {name: arm for name, arm in arms_of(recipe, evidence, recipe.arms).items() if arm.results}


def axes(recipe: Recipe, evidence: Evidence) -> Figure:
    """What each axis of a padding does to the accuracies."""
    rows: list[Row] = [
        (name, label, *cells(clipped(accuracy_interval(list(arm.values(quantity).values()), recipe.test))))
        for name, arm in trained(recipe, evidence).items()
        if name in AXES
        for label, quantity in SHOWN.items()
    ]
    columns = ("padding", "images", "accuracy", "low", "high")
    return Figure(
        name="axes",
        title="One axis of the padding at a time",
        caption="Rows: only above and below; columns: only left and right, with zeros on the other axis (fconv: zeros on both). "
        "x0.5 and x2: copies at half and at double strength. Mean accuracy and 95 % interval over seeds. A net that reads the "
        "height of the boxes has 100 % on the heights of the training and 0 % once they are swapped.",
        columns=columns,
        rows=tuple(rows) if len(rows) > 2 else (),
        spec=dots(
            columns, rows, x="accuracy", y="padding", color="images", colors=tuple(SHOWN), title="accuracy, %", order=AXES,
            domain=(0, 100),
        ),
    )  # fmt: skip


def margins(recipe: Recipe, evidence: Evidence) -> Figure:
    """The dose of the border."""
    names = {"reflect": "reflect padding", "fconv": "zeros (fconv)"}
    rows: list[Row] = []
    for name, label in names.items():
        for margin in sorted(recipe.margins):
            arm = framed_arm(evidence, name, margin)
            scores = list(arm.values("test_accuracy").values())
            if scores:
                rows.append((label, margin, *cells(clipped(accuracy_interval(scores, recipe.test)))))
    columns = ("padding", "margin", "accuracy", "low", "high")
    return Figure(
        name="margin",
        title="Reflection, and how far the boxes keep from the border",
        caption="Test accuracy with the heights swapped, on images whose boxes keep a margin from every border; mean and 95 % "
        "interval over seeds. From 9 pixels on the layers reflect zeros alone: both paddings are the same function.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="margin", y="accuracy", color="padding", colors=tuple(names.values()),
            x_title="least distance of the boxes from the border, pixels", y_title="test accuracy, %", domain=(0, 100),
        ),
    )  # fmt: skip


def arm_table(recipe: Recipe, evidence: Evidence) -> Figure:
    """Every arm in numbers."""
    arms = trained(recipe, evidence)
    arms |= {arm.name: arm for size in recipe.sizes if (arm := sized_arm(evidence, "reflect", size)).results}
    accuracies = ("validation_accuracy", "unseen_validation_accuracy", "test_accuracy", "near_accuracy", "far_accuracy")
    rows: list[Row] = [
        (
            name,
            significant(arm.mean("cells").estimate),
            significant(100 * arm.mean("never_met").estimate, 2),
            *(round_to(arm, quantity, 1) for quantity in accuracies),
            *(round_to(arm, quantity, 2) for quantity in HELD.values()),
        )
        for name, arm in arms.items()
    ]
    return Figure(
        name="arms",
        title="Every net in numbers",
        caption="Means over seeds. Cells: places of the last map that are pooled. Never met: percent of the weights' paths that "
        "the border keeps from pixels of the boxes. Accuracies in percent: in validation, on new images, with the heights "
        "swapped, and of these on new images with boxes near each other and too far apart for one unit to see both. R² of a "
        "linear probe for the height of the boxes (before and after training), their order, the red box's column, and heights "
        "dealt at random.",
        columns=(
            "net", "cells", "never met", "validation", "new images", "swapped", "near boxes", "far boxes",
            *(f"R² {name}" for name in HELD),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def round_to(arm: Arm, quantity: str, digits: int) -> float | None:
    """A mean over seeds, rounded; None where it is not finite."""
    mean = significant(arm.mean(quantity).estimate, 6)
    return None if mean is None else round(mean, digits)
