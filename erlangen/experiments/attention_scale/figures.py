"""The scale of attention: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

from erlangen.experiments.attention_scale import Recipe
from erlangen.experiments.attention_scale.evidence import at, corner, loss_up_to_chance, nets
from erlangen.experiments.attention_scale.head_figure import head_figure
from erlangen.experiments.attention_scale.statements import ARM_NAMES, CORNERS, NAMES
from erlangen.experiments.attention_scale.tasks import ARMS, DISTRIBUTIONS, MEANS, Copy, Products, Start
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, clipped, curves, significant
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.intervals import Interval, mean_interval

COLORS = {name: PALETTE[place] for place, name in enumerate(ARM_NAMES.values())}
INTERVALS = "Mean and 95 % interval"


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """The scale in one picture; then gradients, learning rates, trained nets, drawn products and the heads of a GPT."""
    made = [
        scale_figure(recipe, evidence),
        gradient_figure(recipe, evidence),
        rate_figure(recipe, evidence),
        net_table(recipe, evidence),
        product_figure(recipe, evidence),
        head_figure(recipe, evidence),
    ]
    return [figure for figure in made if figure.rows]


def drawn(evidence: Evidence, kind: type, value: Callable[[JobResult], float]) -> Interval:
    """The mean over the draws of a task."""
    return mean_interval([*evidence.arm(kind).values(value).values()])


def scale_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Entropy at the start and loss after training over the width, with the scale and without."""
    columns = ("attention", "panel", "width d", "mean", "low", "high")
    keys = recipe.contexts[-1]
    first = f"at the start: entropy over {recipe.keys} keys, nats"
    panels = {optimizer: f"after training with {NAMES[optimizer]}: loss, nats" for optimizer in recipe.optimizers}
    rows: list[Row] = []
    if evidence.of(Start):
        for arm, (place, width) in product(("scaled", "unscaled"), enumerate(recipe.widths)):
            mean = drawn(evidence, Start, lambda result, arm=arm, place=place: at(result, f"{arm} entropy", place))  # type: ignore[misc]
            rows.append((ARM_NAMES[arm], first, width, *cells(mean)))
    for optimizer, width in product(recipe.optimizers, recipe.trained):
        found = nets(evidence, optimizer, width, keys)
        means = {arm: clipped(found.best[arm].arm.mean("test_loss"), high=math.inf) for arm in ARMS}
        rows += [
            (ARM_NAMES[arm], panels[optimizer], width, *cells(mean))
            for arm, mean in means.items()
            if math.isfinite(mean.estimate)
        ]
    return Figure(
        name="scale",
        title="Attention with and without 1/√d",
        caption=f"Left: how spread out the attention of drawn heads is; uniform attention has {math.log(recipe.keys):.2f} nats, "
        f"attention to one key 0. The others: nets that copy one of {keys} tokens, each arm at its best learning rate; guessing "
        f"has a loss of {math.log(recipe.vocabulary):.2f}. The third kind of net has no scale, but queries and keys that start "
        f"so small that its scores are those of the first. {INTERVALS}, over draws and over seeds.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="width d", y="mean", color="attention", colors=COLORS, y_title="nats", log_x=2, panel="panel",
            panels=[first, *panels.values()], panel_columns=1 + len(panels), same_y=False,
        ),
    )  # fmt: skip


STATISTICS = {
    "mean square of queries": "queries, root mean square",
    "median of queries": "queries, median",
    "mean square of scores": "scores, root mean square",
    "median of scores": "scores, median",
}


def gradient_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Gradients without the scale over those with it, by statistic."""
    columns = ("gradient of the", "width d", "without / with the scale", "low", "high")
    rows: list[Row] = []
    for (name, title), (place, width) in product(STATISTICS.items(), enumerate(recipe.widths)):

        def log_ratio(result: JobResult, name: str = name, place: int = place) -> float:
            without, scaled = (at(result, f"{arm} {name}", place) for arm in ("unscaled", "scaled"))
            exponent = 0.5 if name.startswith("mean square") else 1.0
            return exponent * math.log(without / scaled) if without > 0 and scaled > 0 else math.nan

        ratio = drawn(evidence, Start, log_ratio).exp()
        if math.isfinite(ratio.estimate):
            rows.append((title, width, *cells(ratio)))
    return Figure(
        name="gradients",
        title="Do gradients vanish without 1/√d?",
        caption="Drawn heads before training; the gradient that arrives at the output is the same with the scale and without. "
        "Above 1 the gradient grows. Root mean square: what an update adds up. Median: what a typical query receives. "
        f"{INTERVALS} over draws.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="width d", y=columns[2], color=columns[0], colors=tuple(STATISTICS.values()), log_x=2, log_y=True
        ),
    )


def rate_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The loss over the learning rate in the two corners of the grid of nets."""
    columns = ("attention", "panel", "learning rate", "loss, nats", "low", "high")
    settings = [corner(recipe, evidence, name, optimizer) for name in CORNERS for optimizer in recipe.optimizers]
    panels = {f"{NAMES[one.optimizer]}, d = {one.width}, {one.keys} keys": one for one in settings}
    rows: list[Row] = []
    for (panel, found), arm in product(panels.items(), ARMS):
        for rate in recipe.rates(found.optimizer):
            results = found.evidence.of(Copy, arm=arm, lr=rate)
            mean = clipped(mean_interval([loss_up_to_chance(result) for result in results]), high=math.inf)
            if math.isfinite(mean.estimate):
                rows.append((ARM_NAMES[arm], panel, rate, *cells(mean)))
    return Figure(
        name="rates",
        title="The loss over the learning rate",
        caption="Nets that copy a token; a loss above that of guessing counts as guessing, and so does a net that diverged. "
        f"{INTERVALS} over seeds.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="learning rate", y="loss, nats", color="attention", colors=COLORS, log_x=10, panel="panel",
            panels=list(panels), same_y=False,
        ),
    )  # fmt: skip


OF_NETS = ("test_loss", "steps_to_learn", "start_entropy", "end_entropy", "end_weight", "largest_rise")


def net_table(recipe: Recipe, evidence: Evidence) -> Figure:
    """Every arm at its best learning rate, in every setting."""
    rows: list[Row] = []
    for optimizer, keys, width in product(recipe.optimizers, recipe.contexts, recipe.trained):
        found = nets(evidence, optimizer, width, keys)
        for arm in ARMS:
            tried = [loss_up_to_chance(result) for result in found.evidence.of(Copy, arm=arm)]
            if not tried:
                continue
            learned = 100 * sum(loss <= recipe.learned for loss in tried) / len(tried)
            numbers = [significant(value, 3) for value in (*(found.mean(arm, name) for name in OF_NETS), learned)]
            rows.append((NAMES[optimizer], keys, width, ARM_NAMES[arm], f"{found.best[arm].rate:g}", *numbers))
    return Figure(
        name="nets",
        title="Every kind of net at its best learning rate",
        caption=f"Means over {recipe.seeds} seeds. Steps: until the training loss first is {recipe.learned:g} nats or less; "
        f"{recipe.steps} where it never is. Weight: of the attention, on the token to copy, after training. Rise: the most that "
        f"the training loss lies above an earlier one. Learned: of all learning rates and seeds, those that end at "
        f"{recipe.learned:g} nats or less.",
        columns=(
            "optimizer", "keys", "width d", "attention", "learning rate", "loss, nats", "steps to learn", "entropy at the start",
            "entropy at the end", "weight on the token", "largest rise, nats", "learned, %",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def product_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The variance of q · k over d · σ⁴ for entries with several means, all distributions together."""
    columns = ("entries", "width d", "Var(q · k) / (d σ⁴)", "low", "high")
    means = {0.0: "mean 0", **{mu / sigma: f"mean {mu / sigma:g} σ" for sigma, mu in MEANS}}
    rows: list[Row] = []
    for (mu, title), (place, width) in product(means.items(), enumerate(recipe.widths)):

        def ratio(result: JobResult, mu: float = mu, place: int = place, width: int = width) -> float:
            found = [at(result, f"{kind} 1 {mu:g} variance", place) / width for kind in DISTRIBUTIONS]
            return sum(found) / len(found)

        mean = drawn(evidence, Products, ratio)
        if math.isfinite(mean.estimate):
            rows.append((title, width, *cells(mean)))
    return Figure(
        name="products",
        title="The variance of q · k, over d · σ⁴",
        caption="Entries drawn independently from five distributions (normal, uniform, two-point, Laplace, exponential). "
        f"With mean μ the variance is d (σ⁴ + 2 μ² σ²). {INTERVALS} over draws.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="width d", y=columns[2], color="entries", colors=tuple(means.values()), log_x=2, domain=(0, 3.5)
        ),
    )
