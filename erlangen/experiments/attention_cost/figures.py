"""What attention costs: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from erlangen.experiments.attention_cost import HELD, TIMED, Recipe
from erlangen.experiments.attention_cost.binding_figures import pieces_figure, share_figure
from erlangen.experiments.attention_cost.kernel_figure import kernel_figure
from erlangen.experiments.attention_cost.readings import arm, at, counted, device, peak, slope
from erlangen.experiments.attention_cost.tasks import Time, Windows
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, curves, dots, significant
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.intervals import Interval, mean_interval

NAMES = {
    "naive": "naive",
    "fused": "fused",
    "local": "local window",
    "masked": "window as a mask",
    "alibi": "ALiBi as a mask",
    "dropout": "fused with dropout",
}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Costs over the length, windows, the pieces; then exponents, memory, and what binds as the width grows."""
    made = [
        cost_figure(recipe, evidence),
        windows_figure(recipe, evidence),
        pieces_figure(recipe, evidence),
        exponents_figure(recipe, evidence),
        memory_figure(recipe, evidence),
        kernel_figure(recipe, evidence, NAMES),
        share_figure(recipe, evidence),
    ]
    return [figure for figure in made if figure.rows]


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean and its interval; NaN where a value is not positive."""
    return mean_interval([math.log(value) if value > 0 else math.nan for value in values]).exp()


def seconds(evidence: Evidence, form: str, length: int, name: str = "both") -> list[float]:
    """A form's time at a length, seed by seed."""
    results = arm(evidence, Time, form, length, kept=True).results.values()
    return [at(result, form, f"{name} seconds", length) for result in results]


def cost_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Time per call over the length, and the exact counts beside it."""
    columns = ("attention", "panel", "tokens", "cost")
    rows: list[Row] = []
    for form in TIMED:
        for n in recipe.lengths:
            time = geometric(seconds(evidence, form, n)).estimate
            if math.isfinite(time):
                rows.append((NAMES[form], "time per call, ms", n, significant(1e3 * time)))
        for sizes, result in counted(evidence, form, "length")[:1]:
            rows += [(NAMES[form], "billion multiply-adds", n, count) for n, count in billions(sizes, result)]
    return Figure(
        name="cost",
        title="Time and multiply-adds over the length of the text",
        caption=f"Forward and backward, one head with d = {recipe.features}, on {device(evidence)}; window {recipe.window}. Both "
        "axes are logarithmic. Times are geometric means over seeds; counts are exact. Naive and fused attention see all tokens.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="tokens", y="cost", low=None, high=None, color="attention", colors=[NAMES[form] for form in TIMED],
            log_x=2, log_y=True, panel="panel", panels=["time per call, ms", "billion multiply-adds"], same_y=False,
        ),
    )  # fmt: skip


def billions(sizes: Sequence[int], result: JobResult) -> list[tuple[int, float]]:
    """(size, billions of multiply-adds, forward and backward)."""
    return [(size, count / 1e9) for size, count in zip(sizes, result.values("both"), strict=True)]


def windows_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The local form over the window: time at the longest length, and the counts."""
    columns = ("window", "panel", "cost", "low", "high")
    results = evidence.of(Windows)
    n = recipe.lengths[-1]
    panels = (f"time at {n:,} tokens, ms", "billion multiply-adds at a fixed length")
    rows: list[Row] = []
    for at_window, window in enumerate(recipe.windows):
        times = [1e3 * (result.values("seconds") or (math.nan,) * len(recipe.windows))[at_window] for result in results]
        if times and math.isfinite(geometric(times).estimate):
            rows.append((window, panels[0], *cells(geometric(times))))
    for sizes, result in counted(evidence, "local", "window"):
        rows += [(w, panels[1], count, count, count) for w, count in billions(sizes, result)]
    drawn = [(*row, "local window") for row in rows]
    return Figure(
        name="windows",
        title="Attention with a window, over the window",
        caption="Forward and backward, blocks along the diagonal; both axes logarithmic. Times are geometric "
        "means over seeds, with 95 % intervals; counts are exact.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            (*columns, "attention"), drawn, x="window", y="cost", color="attention", colors=["local window"],
            log_x=2, log_y=True, panel="panel", panels=panels, same_y=False,
        ),
    )  # fmt: skip


def exponents_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The exponent of the time at each step from a length to the next."""
    columns = ("step", "panel", "attention", "exponent", "low", "high")
    panels = {"forward": "forward", "both": "forward and backward"}
    rows: list[Row] = []
    for form in TIMED:
        for name, panel in panels.items():
            for small, large in pairwise(recipe.lengths):
                pairs = zip(seconds(evidence, form, small, name), seconds(evidence, form, large, name), strict=False)
                found = mean_interval([slope((small, large), pair) for pair in pairs])
                if math.isfinite(found.estimate):
                    rows.append((f"{small:,} → {large:,}", panel, NAMES[form], *cells(found)))
    return Figure(
        name="exponents",
        title="The exponent of the time, doubling by doubling",
        caption=f"Mean and 95 % interval over seeds, on {device(evidence)}, where caches and calls weigh in. 2 is quadratic, "
        "1 linear.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="exponent", y="step", color="attention", colors=[NAMES[form] for form in TIMED], panel="panel",
            panels=list(panels.values()), order=[f"{small:,} → {large:,}" for small, large in pairwise(recipe.lengths)],
        ),
    )  # fmt: skip


def memory_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Peak memory of each form over the length."""
    columns = ("attention", "panel", "tokens", "MiB")
    panels = {"forward memory": "forward", "both memory": "forward and backward"}
    rows: list[Row] = [
        (NAMES[form], panel, n, significant(peak(evidence, form, n, name)))
        for form in HELD
        for name, panel in panels.items()
        for n in recipe.lengths[-3:]
        if peak(evidence, form, n, name) > 0
    ]
    return Figure(
        name="memory",
        title="Peak memory over the length of the text",
        caption="Above what the process held before; both axes logarithmic. Where the line climbs as that of the naive form "
        "does, n × n numbers are held.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="tokens", y="MiB", low=None, high=None, color="attention", colors=list(NAMES.values()), log_x=2,
            log_y=True, panel="panel", panels=list(panels.values()),
        ),
    )  # fmt: skip
