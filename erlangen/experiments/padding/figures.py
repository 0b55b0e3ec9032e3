"""Padding: the figures of what was trained, then those of what was counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import altair as alt

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, Spec, curves, heat, palette, records, significant, spec, tooltip
from erlangen.experiments.padding import Recipe
from erlangen.experiments.padding.accuracies import KINDS, published, row_arm
from erlangen.experiments.padding.listings import accuracy_table, border_terms, map_sizes, samples
from erlangen.experiments.padding.tasks import PADDINGS, ROWS, SHIFTS, Border, Data, Maps
from erlangen.records.runs import Figure

WORDS = (
    "Pooled: global max pooling; flattened: a flatten layer. Valid: no padding; sconv: 1 pixel of zeros; fconv: 2 pixels of "
    "zeros; replicate, reflect and circular: 2 pixels, copied from the edge, mirrored or from the opposite side."
)
Arms = Mapping[str, Arm]  # by row


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """The figures for which there are results."""
    rows = {row: arm for row in recipe.rows if (arm := row_arm(evidence, row)).results}
    trained = (accuracy_dots, accuracy_table, place, flips, learning_curves)
    counted = {Data: samples, Maps: map_sizes, Border: border_terms}
    shown = [draw(rows) for draw in trained if rows]
    return shown + [draw(evidence.of(kind)[0]) for kind, draw in counted.items() if evidence.of(kind)]


def strip(
    columns: Sequence[str], rows: Sequence[Row], *, x_title: str, domain: Sequence[float], colors: Mapping[str, str]
) -> Spec:
    """A dot for each row: net, seed, series and value are the four columns."""
    net, _, series, value = columns
    nets = list(dict.fromkeys(str(row[0]) for row in rows))
    chart = (
        alt.Chart(records(columns, rows))
        .mark_circle(size=46, opacity=0.7, clip=True)
        .encode(
            x=alt.X(f"{value}:Q", title=x_title, scale=alt.Scale(domain=list(domain), padding=6)),  # or a dot at 0 is cut in half
            y=alt.Y(f"{net}:N", title=None, sort=nets),
            yOffset=alt.YOffset(f"{series}:N", sort=list(colors)),
            color=alt.Color(f"{series}:N", title=None, scale=palette(colors)),
            tooltip=tooltip(columns, rows),
        )
    )
    return spec(chart, height=30 * len(nets))


def accuracy_dots(rows: Arms) -> Figure:
    """Test accuracies by seed, beside the published ones."""
    dots: list[Row] = []
    for row, arm in rows.items():
        stated = published()["padding_table"][row]["test"]
        dots += [(arm.name, seed, "measured here", significant(value)) for seed, value in arm.values("test_accuracy").items()]
        dots += [(arm.name, seed, "published", value) for seed, value in enumerate(stated)]
    columns = ("net", "seed", "source", "test accuracy")
    colors = {"measured here": PALETTE[0], "published": PALETTE[3]}
    return Figure(
        name="seeds",
        title="Test accuracy with the heights swapped",
        caption="Each dot is one seed. A net that reads the height of the boxes scores 0 %, one that reads their order 100 %. "
        f"{WORDS}",
        columns=columns,
        rows=tuple(dots),
        spec=strip(columns, dots, x_title="test accuracy, %", domain=(0, 100), colors=colors),
    )


def place(rows: Arms) -> Figure:
    """What a linear probe reads of the height, before and after training."""
    dots: list[Row] = [
        (arm.name, seed, series, significant(value))
        for arm in rows.values()
        for series, name in (("trained", "place_r2"), ("untrained", "place_r2_untrained"))
        for seed, value in arm.values(name).items()
    ]
    columns = ("net", "seed", "weights", "R²")
    colors = {"trained": PALETTE[2], "untrained": PALETTE[4]}
    return Figure(
        name="place",
        title="How much of the boxes' height the features hold",
        caption="Each dot is one seed: held-out R² of a linear map from the 64 features before the last layer to the boxes' mean "
        "height, on images where height and class are independent. 1: the height is read exactly; 0: not at all.",
        columns=columns,
        rows=tuple(dots),
        spec=strip(columns, dots, x_title="R² of the boxes' height", domain=(-0.2, 1), colors=colors),
    )


def flips(rows: Arms) -> Figure:
    """The percentage of predictions that flip, by shift."""
    cells: list[Row] = []
    for arm in rows.values():
        for index, shift in enumerate(SHIFTS):
            flipped, changed = (
                fmean(result.values(name)[index] for result in arm.results.values()) for name in ("shift_flips", "shift_change")
            )
            cells.append((arm.name, shift, significant(flipped), significant(changed)))
    columns = ("net", "rows moved", "predictions flipped", "feature change")
    names = [arm.name for arm in rows.values()]
    return Figure(
        name="flips",
        title="Predictions that flip when the boxes move",
        caption="Percent of validation images, mean over seeds. The boxes move towards the other band, stay inside and keep "
        "their order. At 8 and 16 rows the picture moves by whole strides: what still flips there is due to the border alone.",
        columns=columns,
        rows=tuple(cells),
        spec=heat(
            columns, cells, x="rows moved", y="net", value="predictions flipped", title="flips, %", y_order=names, domain=(0, 100)
        ),
    )


def learning_curves(rows: Arms) -> Figure:
    """Mean validation accuracy by epoch, a panel for each kind of net."""
    accuracy = "validation accuracy, %"
    points: list[Row] = []
    for row, arm in rows.items():
        net, padding = ROWS[row]
        by_seed = [result.values("validation_accuracy_by_epoch") for result in arm.results.values()]
        for epoch in range(max(map(len, by_seed))):
            reached = [curve[epoch] for curve in by_seed if epoch < len(curve)]
            points.append((f"{KINDS[net]} net", padding, epoch + 1, significant(fmean(reached))))
    columns = ("net", "padding", "epoch", accuracy)
    return Figure(
        name="curves",
        title="Validation accuracy during training",
        caption="Mean over the seeds still in training: early stopping ends some before others.",
        columns=columns,
        rows=tuple(points),
        spec=curves(columns, points, x="epoch", y=accuracy, low=None, high=None, color="padding", colors=PADDINGS, panel="net"),
    )
