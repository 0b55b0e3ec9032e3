"""The shape of the MLP: figures, each with the table behind it."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, curves, dots, significant
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.mlp_shape import ARMS, DEPTHS, Recipe
from erlangen.experiments.mlp_shape.evidence import nets, title
from erlangen.experiments.mlp_shape.speed_parts import tokens_per_second
from erlangen.experiments.mlp_shape.tasks import Learn, Speed, inner_width
from erlangen.records.runs import Figure, JobResult

MEASURED = {  # panel of the gradients -> measurement
    "weights, before training": "weight_gradients_at_start",
    "weights, in training": "weight_gradients_in_training",
    "signal, before training": "signal_at_start",
    "signal, in training": "signal_in_training",
}
DRAWN = ("wide", "deep", "deep-residual", "deep-he", "deep-gpt2")


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Losses, gradients by layer, losses over the learning rate, and speeds."""
    made = [losses_figure(recipe, evidence), gradients_figure(recipe, evidence), rates_figure(recipe, evidence)]
    return [figure for figure in (*made, speed_figure(recipe, evidence)) if figure.rows]


def losses_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """A dot for each shape at its best learning rate."""
    columns = ("shape", "loss", "low", "high", "learning rate", "parameters")
    rows: list[Row] = []
    for arm in recipe.arms:
        best = nets(recipe, evidence, arm)
        interval = best.arm.mean("test_loss")
        if math.isfinite(interval.estimate):
            size = significant(best.arm.mean("parameters").estimate, 6)
            rows.append((title(recipe, arm), *cells(interval), best.rate, size))
    return Figure(
        name="losses",
        title=f"Held-out loss of MLPs of one size and different shapes: {text_title(recipe.corpus)}",
        caption=f"Hidden layers × features of each. Mean and 95 % interval over {recipe.seeds} seeds, each shape at its best "
        "learning rate. Residual: each layer between two hidden ones is added to its input. Where no start is named: the first "
        "weights of PyTorch.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="loss", y="shape", order=[title(recipe, arm) for arm in ARMS], title="nats per character",
        ),
    )  # fmt: skip


def gradients_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Gradients over the layers of the MLP, relative to the last layer's."""
    columns = ("panel", "shape", "layer", "relative to the last layer")
    rows: list[Row] = []
    drawn = [arm for arm in DRAWN if arm in recipe.arms]
    for panel, name in MEASURED.items():
        for arm in drawn:
            norms = [result.values(name) for result in nets(recipe, evidence, arm).arm.results.values() if result.values(name)]
            for layer, logs in enumerate(zip(*(relative_logs(one) for one in norms), strict=True), 1):
                rows.append((panel, title(recipe, arm), layer, significant(math.exp(sum(logs) / len(logs)))))
    return Figure(
        name="gradients",
        title="Gradients over the layers of the MLP",
        caption="Norms relative to the last layer's; geometric means over seeds, blocks and times. Weights: of the layer's "
        "matrix, which is what training uses. Signal: of the layer's output, which is what flows back. Where a start shrinks "
        "what flows forward as much as what flows back, the signal falls from layer to layer and the weights' gradients do not.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="layer", y="relative to the last layer", low=None, high=None, color="shape",
            colors=[title(recipe, arm) for arm in drawn], panel="panel", panels=list(MEASURED), log_y=True,
        ),
    )  # fmt: skip


def relative_logs(norms: tuple[float, ...]) -> list[float]:
    """log of each norm over the last."""
    return [math.log(norm / norms[-1]) for norm in norms]


def rates_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The last validation loss over the learning rates tried: how much a poor rate costs."""
    columns = ("shape", "learning rate", "loss", "low", "high")
    rows: list[Row] = []
    for arm in recipe.arms:
        depth, residual, start = ARMS[arm]
        for rate in recipe.rates:
            interval = evidence.arm(Learn, depth=depth, residual=residual, start=start, lr=rate).mean("bounded_loss")
            if math.isfinite(interval.estimate):
                rows.append((title(recipe, arm), rate, *cells(interval)))
    drawn = [title(recipe, arm) for arm in recipe.arms if ARMS[arm][2] == "default"]
    kept = [row for row in rows if row[0] in drawn]
    return Figure(
        name="rates",
        title="Validation loss over the learning rate",
        caption="At the last step; mean and 95 % interval over seeds. The steeper, the more a poor rate costs. The table also "
        "has the nets that start otherwise.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, kept, x="learning rate", y="loss", color="shape", colors=drawn, y_title="nats per character", log_x=10,
        ),
    )  # fmt: skip


def speed_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Tokens per second relative to the wide shape, for each timing."""
    columns = ("timed", "shape", "relative speed", "low", "high", "tokens per second")
    rows: list[Row] = []
    for threads, width in (*((threads, recipe.width) for threads in recipe.threads), (1, recipe.wider)):
        arm = evidence.arm(Speed, threads=threads, width=width)
        for depth in DEPTHS:
            relative = arm.mean(partial(relative_speed, depth=depth))
            rate = arm.mean(partial(tokens_per_second, depth=depth)).estimate
            if math.isfinite(relative.estimate):
                shape = f"{depth} × {inner_width(width, depth)}"
                rows.append((f"width {width}, threads: {threads}", shape, *cells(relative), significant(rate, 3)))
    return Figure(
        name="speed",
        title="Speed of training, relative to the wide shape",
        caption="Whole training steps of the net; mean and 95 % interval over processes, each of which times the shapes in turn.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="relative speed", y="shape", color="timed",
            colors=list(dict.fromkeys(str(row[0]) for row in rows)), reference=1.0,
        ),
    )  # fmt: skip


def relative_speed(result: JobResult, depth: int) -> float:
    """Of a shape, over the wide one's in the same process."""
    return tokens_per_second(result, depth) / tokens_per_second(result, DEPTHS[0])
