"""The figures of the two claims: accuracy against the angle, as a curve and around a circle, beside the published points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, clipped
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.angle_chart import COLUMNS, HERE, REPORT, chart
from erlangen.experiments.rotation.claims import images_title, is_cifar10
from erlangen.experiments.rotation.evidence import accuracy, arm, last_epoch
from erlangen.experiments.rotation.tasks import ARMS, angles
from erlangen.records.runs import Figure

PUBLISHED = {  # which published curve stands beside which training
    "plain": "plain_read_off_figure",
    "augmented": "augmented_read_off_figure_of_a_second_run",
}
TITLES = {
    "plain": "flat head, upright images",
    "disk": "flat head, inside a disk",
    "augmented": "flat head, rotated images",
    "pooled": "pooled head, upright images",
    "pooled augmented": "pooled head, rotated images",
    **{f"{order} {match}": f"{order}, equal {match}" for order in ("C4", "C8") for match in ("compute", "parameters")},
}


def upright_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """C9: nets that learned upright images, whole or inside a disk."""
    shown = {"whole images": ("plain", recipe.epochs), "inside a disk": ("disk", recipe.epochs)}
    return angle_figure(recipe, evidence, "upright", "Trained on upright images, tested on rotated ones", shown)


def rotated_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """C10: the report's net, trained on upright and on rotated images."""
    shown = {"upright images": ("plain", recipe.epochs), f"rotated images, {recipe.epochs} epochs": ("augmented", recipe.epochs)}
    if (last := last_epoch(recipe, "augmented")) > recipe.epochs:
        shown[f"rotated images, {last} epochs"] = ("augmented", last)
    return angle_figure(recipe, evidence, "rotated", "Trained on upright or on rotated images, tested on rotated ones", shown)


def nets_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """C10: the nets with a pooled head: trained upright, on rotated images, and group convolutions."""
    shown = {TITLES[name]: (name, last_epoch(recipe, name)) for name in TITLES if ARMS[name].tuned and name in recipe.arms}
    figure = angle_figure(recipe, evidence, "nets", "Rotated images, or filters that rotate", shown)
    more = "All have a pooled head. Group convolutions turn their filters, C4 by 90° and C8 by 45°, and saw upright images only."
    return replace(figure, caption=f"{figure.caption} {more}")


def angle_figure(recipe: Recipe, evidence: Evidence, name: str, title: str, shown: Mapping[str, tuple[str, int]]) -> Figure:
    """Curves of some nets; shown: title -> arm and epochs."""
    rows = [row for net, (arm_name, epochs) in shown.items() for row in curve(recipe, evidence, net, arm_name, epochs)]
    if is_cifar10(recipe.data) and rows:
        same = {net: arm_name for net, (arm_name, epochs) in shown.items() if epochs == recipe.epochs}
        rows += [row for net, arm_name in same.items() for row in published(net, arm_name)]
    beside = " Triangles: the published points, read off the report's figure." if any(row[1] == REPORT for row in rows) else ""
    return Figure(
        name=name,
        title=title,
        caption=f"Percent of the test images ({images_title(recipe.data)}) that are right when they are turned counterclockwise "
        "by each angle, with 95 % intervals over seeds and test images; on the right the same around a circle, with the accuracy "
        f"as the distance from the center.{beside}",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=chart(rows, [net for net in shown if any(row[0] == net for row in rows)]) if rows else None,
    )


def curve(recipe: Recipe, evidence: Evidence, title: str, name: str, epochs: int) -> list[Row]:
    """One row an angle, 0° again at 360°."""
    means = [clipped(accuracy(arm(evidence, name), epochs, slice(at, at + 1))) for at in range(len(angles(recipe.step)))]
    closed = zip((*angles(recipe.step), 360), (*means, means[0]), strict=True)
    return [(title, HERE, angle, *cells(mean)) for angle, mean in closed if math.isfinite(mean.estimate)]


def published(title: str, name: str) -> list[Row]:
    """The report's points of an arm, if it has any."""
    if name not in PUBLISHED:
        return []
    figure = published_numbers("erlangen.experiments.rotation")
    return [
        (title, REPORT, angle, round(100 * value, 1), None, None)
        for angle, value in zip(figure["angles_deg"], figure[PUBLISHED[name]], strict=True)
    ]
