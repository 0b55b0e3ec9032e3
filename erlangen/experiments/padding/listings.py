"""Padding: the figures that are tables, and the sample images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev

import altair as alt

from erlangen.experiments.kit.evidence import Arm
from erlangen.experiments.kit.panels import Row, records, spec, tooltip
from erlangen.experiments.padding import TERMS
from erlangen.experiments.padding.accuracies import published
from erlangen.experiments.padding.tasks import PADDINGS
from erlangen.records.runs import Figure, JobResult

SHOWN = {
    "source_train": "training",
    "source_validation": "validation",
    "source_test": "test",
    "leak-free_validation": "leak-free validation",
    "leak-free_test": "leak-free test",
}


def spread(numbers: Sequence[float]) -> str:
    """mean ± population standard deviation, as in the report"""
    return f"{fmean(numbers):.1f} ± {pstdev(numbers):.1f}"


def accuracy_table(rows: Mapping[str, Arm]) -> Figure:
    """Accuracies of each row beside those of the report and of its rival."""
    table: list[Row] = []
    for row, arm in rows.items():
        test, validation, new_test, new_validation = (
            spread(list(arm.values(name).values()))
            for name in ("test_accuracy", "validation_accuracy", "unseen_test_accuracy", "unseen_validation_accuracy")
        )
        stated = {column: spread(scores) for column, scores in published()["padding_table"][row].items()}
        rival = published()["red_green_kayhan_2020"].get(row.removeprefix("Net1/"), {}).values()
        theirs = [f"{mean} ± {deviation}" for mean, deviation in rival] or ["–", "–"]
        seen = (validation, stated["validation"], theirs[0], new_validation)
        table.append((arm.name, test, stated["test"], theirs[1], new_test, *seen, len(arm.results)))
    columns = ("published", "Kayhan & van Gemert", "leak-free")
    return Figure(
        name="table",
        title="Accuracy beside the published ones",
        caption="Percent, mean ± population standard deviation over seeds. Validation: at the last epoch. Test: with the weights "
        "of the smallest validation loss. Leak-free: the same nets on images that do not occur in training. Kayhan & van Gemert "
        "(CVPR 2020) have images and training of their own, and a circular padding that keeps the size of the map. " + TERMS,
        columns=(
            "net",
            *("test", *(f"test, {source}" for source in columns)),
            *("validation", *(f"validation, {source}" for source in columns)),
            "seeds",
        ),
        rows=tuple(table),
    )


def map_sizes(maps: JobResult) -> Figure:
    """The sizes of the maps, layer by layer."""
    sides = {padding: [32, *maps.values(f"map_sizes_{padding}")] for padding in PADDINGS}
    return Figure(
        name="maps",
        title="Sizes of the feature maps",
        caption="Pixels of the input and after each convolution (3×3, strides 1, 2, 2, 2), as real modules return them.",
        columns=("padding", "input", "1", "2", "3", "4"),
        rows=tuple((padding, *(f"{side:.0f}×{side:.0f}" for side in row)) for padding, row in sides.items()),
    )


def border_terms(border: JobResult) -> Figure:
    """How many terms of an output pixel lie outside the image."""
    places = {"at a corner": "at_corner", "at an edge": "at_edge", "in the interior": "inside"}
    return Figure(
        name="border",
        title="Terms that lie outside the image",
        caption="Of the nine terms of an output pixel, under one pixel of padding.",
        columns=("output pixel", "terms outside"),
        rows=tuple((place, border.value(f"border_outside_{name}")) for place, name in places.items()),
    )


def samples(data: JobResult) -> Figure:
    """The first images of each split."""
    columns = ("split", "image", "color", "column", "row")
    boxes: list[Row] = []
    for key, split in SHOWN.items():
        flat = data.values(f"{key}_samples")
        for number, start in enumerate(range(0, len(flat), 5)):
            label, x1, y1, x2, y2 = (int(value) for value in flat[start : start + 5])
            image = f"class {label}, {'ab'[number // 2 % 2]}"
            left, right = ("red", "green") if label == 0 else ("green", "red")
            boxes += [(split, image, left, x1, y1), (split, image, right, x2, y2)]
    side = alt.Scale(domain=[0, 32], nice=False)
    chart = (
        alt.Chart(records(columns, boxes))
        .transform_calculate(end="datum.column + 4", bottom="datum.row + 4")
        .mark_rect()
        .encode(
            x=alt.X("column:Q", scale=side, axis=None),
            x2="end:Q",
            y=alt.Y("row:Q", scale=alt.Scale(domain=[32, 0], nice=False), axis=None),
            y2="bottom:Q",
            color=alt.Color("color:N", scale=alt.Scale(domain=["red", "green"], range=["#ff0000", "#00ff00"]), legend=None),
            tooltip=tooltip(columns, boxes),
        )
        .properties(width=64, height=64, view=alt.ViewConfig(fill="black"))
        .facet(
            row=alt.Row("split:N", sort=list(SHOWN.values()), header=alt.Header(title=None, labelAngle=0, labelAlign="left")),
            column=alt.Column("image:N", header=alt.Header(title=None)),
            spacing=8,
        )
    )
    return Figure(
        name="samples",
        title="What the splits show",
        caption="Class 0: red left of green; class 1: green left of red. High and low follow the class in training and "
        "validation, and are swapped in the test. The first two images of each class.",
        columns=columns,
        rows=tuple(boxes),
        spec=spec(chart),
    )
