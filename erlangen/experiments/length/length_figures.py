"""Length: the loss over length, on registers and on the text, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Callable

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, Spec, cells, clipped, curves
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.length import Recipe
from erlangen.experiments.length.evidence import at, readers, recalled
from erlangen.experiments.length.tasks import BLOCK, CHANCE, LONGEST, MULTIPLES, TARGETS, TUNED
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval

LINES = {  # name -> kind of positions, how it is read, color
    "rotary": ("rotary", "plain", PALETTE[1]),
    "rotary, NTK-aware": ("rotary", "ntk", PALETTE[3]),
    "rotary, interpolated": ("rotary", "linear", PALETTE[4]),
    "rotary, interpolated and tuned": ("rotary", TUNED, PALETTE[2]),
    "ALiBi": ("alibi", "plain", PALETTE[0]),
    "no positions": ("none", "plain", PALETTE[5]),
    "learned, last row repeated": ("absolute", "clamped", "#7A4FBF"),
    "learned, interpolated": ("absolute", "interpolated", "#B79AE0"),
}
COLORS = {name: color for name, (_, _, color) in LINES.items()}
WINDOW = f"the best from {BLOCK} tokens"
PANELS = {"near": f"near: answers in the last {BLOCK} tokens", "far": f"far: answers more than {BLOCK} tokens back"}


def lines(arm: Callable[[Evidence, str], Arm], evidence: Evidence, name: str) -> list[Row]:
    """(line, tokens, mean, low, high) of a loss at each length, over seeds."""
    made: list[Row] = []
    for line, (kind, how, _) in LINES.items():
        for multiple in MULTIPLES:
            mean = loss(arm(evidence, kind).mean(at(f"{how} {name}", multiple)))
            made += [(line, BLOCK * multiple, *cells(mean))] if math.isfinite(mean.estimate) else []
    return made


def with_legend(described: Spec) -> Spec:
    """The same curves with a legend that a page is wide enough for."""
    for layer in described.get("spec", described)["layer"]:
        layer["encoding"]["color"]["legend"]["columns"] = 3
    return described


def loss(interval: Interval) -> Interval:
    """An interval of a loss, which is not negative."""
    return clipped(interval, 0.0, math.inf)


def registers(recipe: Recipe, evidence: Evidence) -> Figure:
    """Near and far answers, by length."""
    columns = ("answers", "positions", "tokens", "loss", "low", "high")
    made: list[Row] = [(panel, *row) for kind, panel in PANELS.items() for row in lines(recalled, evidence, kind)]
    window = [(PANELS["far"], WINDOW, BLOCK * multiple, round(CHANCE, 4), None, None) for multiple in MULTIPLES]
    return Figure(
        name="registers",
        title="What nets recall from longer texts than they learned from",
        caption=f"Loss on registers, in nats, of the same answers at every length; mean and 95 % interval over {recipe.seeds} "
        f"seeds. Nets learned from windows of {BLOCK} tokens; the tuned ones then learned for {recipe.tuning} updates from "
        f"{LONGEST}. In the panel of far answers, a net that uses more than {BLOCK} tokens falls below the gray line.",
        columns=columns,
        rows=tuple([*made, *window] if made else []),
        spec=with_legend(curves(
            columns, [*made, *window], x="tokens", y="loss", color="positions", colors={**COLORS, WINDOW: PALETTE[6]}, log_x=2,
            domain=(0, 2.5), x_title="tokens that the net reads", y_title="loss in nats", panel="answers",
            panels=list(PANELS.values()),
        )),
    )  # fmt: skip


def text(recipe: Recipe, evidence: Evidence) -> Figure:
    """The same characters of the text, by length."""
    columns = ("positions", "tokens", "loss", "low", "high")
    made = lines(readers, evidence, "loss")
    means = [float(str(row[2])) for row in made]  # with few seeds the intervals would hide the curves
    return Figure(
        name="text",
        title=f"Loss over length on {text_title(recipe.corpus)}",
        caption=f"Loss of the last {TARGETS} characters of each passage, in nats, the same at every length; mean and "
        f"95 % interval over seeds. Nets learned from windows of {BLOCK} characters. The tuned net shows what there is to "
        "gain from longer texts.",
        columns=columns,
        rows=tuple(made),
        spec=with_legend(curves(
            columns, made, x="tokens", y="loss", color="positions", colors=COLORS, log_x=2,
            x_title="characters that the net reads", y_title="loss in nats per character",
            domain=(min(means, default=0.0) - 0.1, max(means, default=1.0) + 0.1),
        )),
    )  # fmt: skip
