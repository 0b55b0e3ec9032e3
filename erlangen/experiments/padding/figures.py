"""Padding: figures, each with the table behind it. Colors and type are the page's; here stands only what is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, pstdev

import altair as alt

from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.experiments.padding import PADDING_NAMES
from erlangen.experiments.padding.evidence import Evidence, published
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult

MARKS = {"measured here": "#0072B2", "published": "#E69F00"}  # Okabe & Ito: told apart by the color-blind, in print too
SHIFTS = (1, 2, 4, 8, 16)  # rows, as `run.py` moves the boxes
Nets = dict[str, dict[int, JobResult]]


def figures(evidence: Evidence) -> Iterator[Figure]:
    """Those for which there are results."""
    nets = {row: seeds for row, seeds in evidence.nets.items() if seeds}
    if nets:
        yield accuracy_table(evidence)
        yield accuracy_dots(nets)
    if "data" in evidence.exact:
        yield samples(evidence.exact["data"])
    if "maps" in evidence.exact:
        yield map_sizes(evidence.exact["maps"])
    if nets:
        yield flips(nets)
        yield place(nets)
        yield curves(nets)
        yield rival(nets)


def values(seeds: dict[int, JobResult], name: str) -> list[float]:
    return [result.value(name) for result in seeds.values()]


def spread(numbers: Sequence[float]) -> str:
    """mean ± population standard deviation, as the source reports it"""
    return f"{fmean(numbers):.1f} ± {pstdev(numbers):.1f}" if numbers else "-"


def accuracy_table(evidence: Evidence) -> Figure:
    rows: list[tuple[Scalar, ...]] = []
    for row, seeds in evidence.nets.items():
        if not seeds:
            continue
        reference, difference = published()["padding_table"][row], evidence.difference(row)
        interval = "-" if math.isnan(difference.low) else f"{difference.low:+.1f} to {difference.high:+.1f}"
        rows.append(
            (
                *row.split("/"),
                spread(values(seeds, "test_accuracy")),
                spread(reference["test"]),
                f"{difference.estimate:+.2f}",
                interval,
                spread(values(seeds, "validation_accuracy")),
                spread(reference["validation"]),
                spread(values(seeds, "unseen_test_accuracy")),
                spread(values(seeds, "unseen_validation_accuracy")),
                len(seeds),
            )
        )
    return Figure(
        name="table",
        title="Accuracy beside the published one",
        caption="Percent, mean ± population standard deviation over seeds. Validation: last epoch. Test: the weights of the "
        "least validation loss. Difference: measured - published test accuracy, paired by seed, with its 95 % interval. "
        "Leak-free: the same nets on images that share no picture with training.",
        columns=(
            "net", "padding", "test", "published", "difference", "95 % interval", "validation", "published",
            "leak-free test", "leak-free validation", "seeds",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def accuracy_dots(nets: Nets) -> Figure:
    rows: list[tuple[Scalar, ...]] = []
    for row, seeds in nets.items():
        rows += [(row, seed, "measured here", result.value("test_accuracy")) for seed, result in seeds.items()]
        rows += [(row, seed, "published", value) for seed, value in enumerate(published()["padding_table"][row]["test"])]
    columns = ("row", "seed", "source", "test accuracy")
    chart = (
        alt.Chart(records(columns, rows))
        .mark_circle(size=46, opacity=0.7)
        .encode(
            x=alt.X("test accuracy:Q", title="test accuracy, %", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5)),
            y=alt.Y("row:N", title=None, sort=list(nets)),
            yOffset=alt.YOffset("source:N", sort=list(MARKS)),
            color=alt.Color("source:N", title=None, scale=alt.Scale(domain=list(MARKS), range=list(MARKS.values()))),
            tooltip=tooltip(columns, rows),
        )
    )
    return Figure(
        name="seeds",
        title="Test accuracy, a dot for every seed",
        caption="Heights swapped: 0 % is a net that reads place, 100 % one that reads order.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart, height=30 * len(nets)),
    )


def samples(data: JobResult) -> Figure:
    names = {
        "source_train": "training", "source_validation": "validation", "source_test": "test",
        "leak-free_validation": "leak-free validation", "leak-free_test": "leak-free test",
    }  # fmt: skip
    columns = ("split", "image", "color", "column", "row")
    rows: list[tuple[Scalar, ...]] = []
    for key, split in names.items():
        flat = data.values(f"{key}_samples")
        for number, start in enumerate(range(0, len(flat), 5)):
            label, x1, y1, x2, y2 = (int(value) for value in flat[start : start + 5])
            shown = f"class {label}, {'ab'[number // 2 % 2]}"
            left, right = ("red", "green") if label == 0 else ("green", "red")
            rows += [(split, shown, left, x1, y1), (split, shown, right, x2, y2)]
    side = alt.Scale(domain=[0, 32], nice=False)
    chart = (
        alt.Chart(records(columns, rows))
        .transform_calculate(end="datum.column + 4", bottom="datum.row + 4")
        .mark_rect()
        .encode(
            x=alt.X("column:Q", scale=side, axis=None),
            x2="end:Q",
            y=alt.Y("row:Q", scale=alt.Scale(domain=[32, 0], nice=False), axis=None),
            y2="bottom:Q",
            color=alt.Color("color:N", scale=alt.Scale(domain=["red", "green"], range=["#ff0000", "#00ff00"]), legend=None),
            tooltip=tooltip(columns, rows),
        )
        .properties(width=64, height=64, view=alt.ViewConfig(fill="black"))
        .facet(
            row=alt.Row("split:N", sort=list(names.values()), header=alt.Header(title=None, labelAngle=0, labelAlign="left")),
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
        rows=tuple(rows),
        spec=spec(chart),
    )


def map_sizes(sizes: JobResult) -> Figure:
    rows = []
    for padding in PADDING_NAMES:
        sides = [32, *(int(side) for side in sizes.values(f"map_sizes_{padding}"))]
        rows.append((padding, *(f"{side}×{side}" for side in sides)))
    return Figure(
        name="maps",
        title="Feature-map sizes",
        caption="Pixels of the input and after each convolution (3×3, strides 1, 2, 2, 2), as the modules gave them; the formula "
        "⌊(n + 2p - k) / s⌋ + 1 agrees for every input side from 3 to 64.",
        columns=("padding", "input", "1", "2", "3", "4"),
        rows=tuple(rows),
    )


def flips(nets: Nets) -> Figure:
    columns = ("row", "shift", "predictions flipped", "feature change")
    rows: list[tuple[Scalar, ...]] = []
    for row, seeds in nets.items():
        for index, shift in enumerate(SHIFTS):
            flipped, changed = (
                fmean(result.values(name)[index] for result in seeds.values()) for name in ("shift_flips", "shift_change")
            )
            rows.append((row, shift, round(flipped, 1), round(changed, 3)))
    base = alt.Chart(records(columns, rows)).encode(
        x=alt.X("shift:O", title="rows moved towards the other band", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("row:N", title=None, sort=list(nets)),
        tooltip=tooltip(columns, rows),
    )
    heat = base.mark_rect().encode(
        color=alt.Color("predictions flipped:Q", title="flips, %", scale=alt.Scale(scheme="blues", domain=[0, 100]))
    )
    numbers = base.mark_text().encode(
        text=alt.Text("predictions flipped:Q", format=".0f"),
        color=alt.condition("datum['predictions flipped'] > 50", alt.value("white"), alt.value("black")),
    )
    return Figure(
        name="flips",
        title="Predictions that flip when the boxes move",
        caption="Percent of validation images, mean over seeds; the boxes stay inside and keep their order. By 8 and 16 rows the "
        "picture moves by whole strides: what still flips there comes from the border alone.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(heat + numbers, height=24 * len(nets)),
    )


def place(nets: Nets) -> Figure:
    columns = ("row", "seed", "net", "R²")
    rows: list[tuple[Scalar, ...]] = []
    for row, seeds in nets.items():
        for seed, result in seeds.items():
            rows.append((row, seed, "trained", round(result.value("place_r2"), 4)))
            rows.append((row, seed, "untrained", round(result.value("place_r2_untrained"), 4)))
    chart = (
        alt.Chart(records(columns, rows))
        .mark_circle(size=46, opacity=0.7, clip=True)
        .encode(
            x=alt.X(
                "R²:Q",
                title="R² of the boxes' height, linear probe",
                scale=alt.Scale(domain=[-0.2, 1]),
                axis=alt.Axis(tickCount=6),
            ),
            y=alt.Y("row:N", title=None, sort=list(nets)),
            yOffset=alt.YOffset("net:N"),
            color=alt.Color("net:N", title=None, scale=alt.Scale(domain=["trained", "untrained"], range=["#009E73", "#CC79A7"])),
            tooltip=tooltip(columns, rows),
        )
    )
    return Figure(
        name="place",
        title="How much of absolute place the features hold",
        caption="Held-out R² of a linear map from the 64 features before the last layer to the boxes' mean height, on images "
        "where height and class are independent. 1: place is read exactly; 0: not at all.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart, height=30 * len(nets)),
    )


def curves(nets: Nets) -> Figure:
    columns = ("row", "padding", "net", "epoch", "validation accuracy")
    rows: list[tuple[Scalar, ...]] = []
    for row, seeds in nets.items():
        net, padding = row.split("/")
        by_seed = [result.values("validation_accuracy_by_epoch") for result in seeds.values()]
        for epoch in range(max(len(curve) for curve in by_seed)):
            reached = [curve[epoch] for curve in by_seed if epoch < len(curve)]
            rows.append((row, padding, net, epoch + 1, round(fmean(reached), 2)))
    chart = (
        alt.Chart(records(columns, rows))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y(
                "validation accuracy:Q",
                title="validation accuracy, %",
                scale=alt.Scale(domain=[40, 100]),
                axis=alt.Axis(grid=True),
            ),
            color=alt.Color("padding:N", title=None, sort=list(PADDING_NAMES)),
            strokeDash=alt.StrokeDash("net:N", title=None),
            tooltip=tooltip(columns, rows),
        )
    )
    return Figure(
        name="curves",
        title="Validation accuracy while training",
        caption="Mean over the seeds still in training: early stopping ends some before others.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart, height=260),
    )


def rival(nets: Nets) -> Figure:
    names = {"valid": "valid", "sconv": "same, zeros", "circular": "same, circular", "fconv": "full, zeros"}
    rows = []
    for padding, theirs in names.items():
        seeds = nets.get(f"Net1/{padding}")
        if seeds:
            similar, dissimilar = (published()["red_green_kayhan_2020"][padding][kind] for kind in ("similar", "dissimilar"))
            rows.append(
                (
                    padding, theirs, spread(values(seeds, "validation_accuracy")), f"{similar[0]} ± {similar[1]}",
                    spread(values(seeds, "test_accuracy")), f"{dissimilar[0]} ± {dissimilar[1]}",
                )
            )  # fmt: skip
    return Figure(
        name="rival",
        title="An independent table",
        caption="Kayhan & van Gemert (CVPR 2020), pooled net, their images and training; percent. Their circular padding keeps "
        "the size, the one here adds two pixels.",
        columns=("padding", "theirs", "validation", "theirs, similar", "test", "theirs, dissimilar"),
        rows=tuple(rows),
    )
