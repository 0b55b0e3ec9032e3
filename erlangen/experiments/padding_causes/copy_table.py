"""Padding causes: what the paddings copy of the boxes, counted."""

from __future__ import annotations

from typing import get_args

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row
from erlangen.experiments.padding_causes.arms import Mode
from erlangen.experiments.padding_causes.counts import copy_count
from erlangen.experiments.padding_causes.tasks import Copies
from erlangen.records.runs import Figure


def copy_table(evidence: Evidence) -> Figure:
    """A row for each padding and axis."""
    rows: list[Row] = [
        (
            mode,
            axis,
            *(copy_count(evidence, f"{mode}_{axis}_{what}") for what in ("images", "deep_images", "pixels", "opposite")),
            copy_count(evidence, f"{mode}_larger"),
            copy_count(evidence, f"{mode}_reordered"),
        )
        for mode in get_args(Mode)
        if mode != "zeros" and evidence.of(Copies)
        for axis in ("rows", "columns")
    ]
    return Figure(
        name="copies",
        title="What two pixels of padding copy of the boxes",
        caption=f"Counts over the training and test images, {copy_count(evidence, 'images'):.0f} in all. In the image: a box is "
        "copied beyond the border of the image itself. In some layer: the padding of one of the four layers can copy part of it. "
        "Opposite: of the copied pixels, those that stand beyond the border opposite to the box. Larger, reordered: images in "
        "which padding on all four sides enlarges a box, or puts the other color leftmost.",
        columns=("padding", "axis", "in the image", "in some layer", "pixels", "opposite", "larger", "reordered"),
        rows=tuple(rows),
    )
