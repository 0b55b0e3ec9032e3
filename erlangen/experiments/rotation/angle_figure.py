"""The figure of both claims: accuracy against the angle, as a curve and around a circle, the published points beside it."""

from __future__ import annotations

import math

import altair as alt

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import FAINT, PALETTE, Row, Rows, Spec, cells, clipped, palette, records, spec, tooltip
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import images_title, is_cifar10
from erlangen.experiments.rotation.evidence import accuracy, arm
from erlangen.experiments.rotation.tasks import angles
from erlangen.records.runs import Figure

COLUMNS = ("training", "source", "angle", "accuracy", "low", "high")
HERE, REPORT = "measured here", "published"
PUBLISHED = {  # which published curve stands beside which training
    "plain": "plain_read_off_figure",
    "augmented": "augmented_read_off_figure_of_a_second_run",
}
RINGS = (20, 40, 60, 80)  # percent
SIZE = 300  # pixels of a side of the circle's panel


def angle_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The report's net, trained upright and on rotated images."""
    shown = trainings(recipe)
    rows = [row for title, (name, epochs) in shown.items() for row in curve(recipe, evidence, title, name, epochs)]
    if is_cifar10(recipe.data) and rows:
        rows += [row for title, (name, epochs) in shown.items() if epochs == recipe.epochs for row in published(title, name)]
    beside = " Triangles are the published points, read off the report's figure." if any(row[1] == REPORT for row in rows) else ""
    return Figure(
        name="angles",
        title="Accuracy on rotated images",
        caption=f"The same test images ({images_title(recipe.data)}) turned counterclockwise by each angle: percent right, with "
        f"95 % intervals over seeds and test images. On the right the same around a circle: 0° is at the top.{beside}",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=chart(rows, list(shown)) if rows else None,
    )


def trainings(recipe: Recipe) -> dict[str, tuple[str, int]]:
    """The curves: a title, the arm and the epochs."""
    made = {"upright images": ("plain", recipe.epochs)} if "plain" in recipe.arms else {}
    if "augmented" in recipe.arms:
        made[f"rotated images, {recipe.epochs} epochs"] = ("augmented", recipe.epochs)
        if "augmented" in recipe.longer and recipe.long > recipe.epochs:
            made[f"rotated images, {recipe.long} epochs"] = ("augmented", recipe.long)
    return made


def curve(recipe: Recipe, evidence: Evidence, title: str, name: str, epochs: int) -> list[Row]:
    """One row an angle, 0° again at 360°."""
    means = [clipped(accuracy(arm(evidence, name), epochs, slice(at, at + 1))) for at in range(len(angles(recipe.step)))]
    closed = zip((*angles(recipe.step), 360), (*means, means[0]), strict=True)
    return [(title, HERE, angle, *cells(mean)) for angle, mean in closed if math.isfinite(mean.estimate)]


def published(title: str, name: str) -> list[Row]:
    """The report's points."""
    figure = published_numbers("erlangen.experiments.rotation")
    return [
        (title, REPORT, angle, round(100 * value, 1), None, None)
        for angle, value in zip(figure["angles_deg"], figure[PUBLISHED[name]], strict=True)
    ]


def chart(rows: Rows, titles: list[str]) -> Spec:
    """Both panels."""
    base = alt.Chart(records(COLUMNS, rows)).encode(
        color=alt.Color(
            "training:N", title=None, scale=palette(dict(zip(titles, PALETTE, strict=False))), legend=alt.Legend(orient="top")
        ),
    )
    panels = alt.hconcat(
        straight(base, rows).properties(width=440, height=SIZE),
        around(base, rows).properties(width=SIZE, height=SIZE),
        spacing=30,
    )
    return spec(panels)


def straight(base: alt.Chart, rows: Rows) -> alt.LayerChart:
    """Accuracy against the angle."""
    x = alt.X("angle:Q", title="rotation of the test images in degrees", axis=alt.Axis(values=list(range(0, 361, 90))))
    y = alt.Y("accuracy:Q", title="accuracy in %", scale=alt.Scale(domain=[0, 100]))
    here, theirs = base.transform_filter(alt.datum.source == HERE), base.transform_filter(alt.datum.source == REPORT)
    return alt.layer(
        here.mark_area(opacity=0.2).encode(x=x, y=alt.Y("low:Q", title="accuracy in %"), y2="high:Q"),
        here.mark_line(point=True).encode(x=x, y=y, tooltip=tooltip(COLUMNS, rows)),
        theirs.mark_point(shape="triangle-up", size=60).encode(x=x, y=y, tooltip=tooltip(COLUMNS, rows)),
    )


def around(base: alt.Chart, rows: Rows) -> alt.LayerChart:
    """The same with the accuracy as the distance from the center: 0° at the top, counterclockwise as the images turn."""
    placed = base.transform_calculate(
        x="-datum.accuracy * sin(datum.angle * PI / 180)", y="datum.accuracy * cos(datum.angle * PI / 180)"
    )
    x, y = (alt.X("x:Q", axis=None, scale=SCALE), alt.Y("y:Q", axis=None, scale=SCALE))
    here = placed.transform_filter(alt.datum.source == HERE)
    theirs = placed.transform_filter(alt.datum.source == REPORT)
    return alt.layer(
        *circles(),
        here.mark_line(point=True).encode(x=x, y=y, order="angle:Q", tooltip=tooltip(COLUMNS, rows)),
        theirs.mark_point(shape="triangle-up", size=60).encode(x=x, y=y, tooltip=tooltip(COLUMNS, rows)),
    )


SCALE = alt.Scale(domain=[-90, 90])


def circles() -> list[alt.Chart]:
    """Rings of equal accuracy, and the angles around the outermost."""
    ring = [
        {"ring": percent, "turn": turn, "x": percent * math.sin(math.radians(turn)), "y": percent * math.cos(math.radians(turn))}
        for percent in RINGS
        for turn in range(0, 361, 6)
    ]
    named = [{"name": f"{percent} %", "x": 0.0, "y": float(percent)} for percent in RINGS]
    named += [
        {"name": f"{angle}°", "x": -88 * math.sin(math.radians(angle)), "y": 88 * math.cos(math.radians(angle))}
        for angle in (0, 90, 180, 270)
    ]
    place = {"x": alt.X("x:Q", axis=None, scale=SCALE), "y": alt.Y("y:Q", axis=None, scale=SCALE)}
    lines = alt.Chart(alt.InlineData(values=ring)).mark_line(color=FAINT, strokeWidth=0.6, opacity=0.6)
    words = alt.Chart(alt.InlineData(values=named)).mark_text(color=FAINT, fontSize=10)
    return [lines.encode(**place, detail="ring:N", order="turn:Q"), words.encode(**place, text="name:N")]
