"""Attention heads: figures, each with the table behind it."""

from __future__ import annotations

import math

from erlangen.experiments.heads import Recipe
from erlangen.experiments.heads.evidence import copiers, heads_in_words, nets
from erlangen.experiments.heads.exact import KINDS
from erlangen.experiments.heads.tasks import Learn, Ranks
from erlangen.experiments.kit.counts import total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, curves, dots, significant
from erlangen.experiments.kit.texts import text_title
from erlangen.records.runs import Figure

COLUMNS = ("panel", "nets", "heads", "mean", "low", "high")
LOSS, RANK = "held-out loss, nats per character", "effective rank of the attention output"
LINES = {  # panel, line -> measurement
    (LOSS, "after training"): "test_loss",
    (RANK, "after training"): "effective_rank_after",
    (RANK, "before training"): "effective_rank_before",
}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Loss and effective rank over the number of heads; the learning rates; the task for several heads; ranks counted."""
    made = [heads_figure(recipe, evidence), rates_figure(recipe, evidence), layers_table(recipe, evidence)]
    return [figure for figure in (*made, copying_table(recipe, evidence), ranks_table(evidence)) if figure.rows]


def heads_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Each number of heads at its best learning rate."""
    rows: list[Row] = []
    for (panel, line), name in LINES.items():
        for heads in recipe.heads:
            interval = nets(evidence, heads).arm.mean(name)
            if math.isfinite(interval.estimate):
                rows.append((panel, line, heads_in_words(heads), *cells(interval)))
    return Figure(
        name="heads",
        title=f"Loss and effective rank over the number of heads: {text_title(recipe.corpus)}",
        caption=f"Mean and 95 % interval over {recipe.seeds} seeds of nets of equal parameters and multiply-adds, each number of "
        f"heads at its best learning rate. The effective rank is exp of the entropy of the singular values' shares, at most "
        f"{recipe.width}; mean over layers and windows of {4 * recipe.width} held-out tokens.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=dots(
            COLUMNS, rows, x="mean", y="heads", order=[heads_in_words(heads) for heads in recipe.heads], color="nets",
            colors=("after training", "before training"), panel="panel", panels=[LOSS, RANK], same_x=False,
        ),
    )  # fmt: skip


def rates_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Validation loss over the learning rates tried."""
    columns = ("nets", "learning rate", "mean", "low", "high")
    rows: list[Row] = []
    for heads in recipe.heads:
        for rate in recipe.rates:
            interval = evidence.arm(Learn, heads=heads, lr=rate).mean("validation_loss")
            if math.isfinite(interval.estimate):
                rows.append((heads_in_words(heads), rate, *cells(interval)))
    return Figure(
        name="rates",
        title="Validation loss over the learning rate",
        caption="Mean and 95 % interval over seeds. Each number of heads is compared at the rate whose mean is least.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="learning rate", y="mean", color="nets", colors=[heads_in_words(heads) for heads in recipe.heads],
            y_title="nats per character", log_x=10,
        ),
    )  # fmt: skip


def layers_table(recipe: Recipe, evidence: Evidence) -> Figure:
    """Effective and exact ranks, layer by layer."""
    rows: list[Row] = []
    for heads in recipe.heads:
        results = list(nets(evidence, heads).arm.results.values())
        for layer in range(recipe.layers):
            span = slice(layer * recipe.windows, (layer + 1) * recipe.windows)
            exact = [rank for result in results for rank in result.values("exact_ranks")[span]]
            effective = [result.values("layer_ranks_after")[layer] for result in results if result.values("layer_ranks_after")]
            if exact and effective:
                means = (significant(sum(values) / len(values)) for values in (effective, exact))
                rows.append((heads, layer + 1, *means))
    return Figure(
        name="layers",
        title="Rank of the attention output, layer by layer",
        caption="Means over seeds and windows, after training. In the first layer one head's exact rank is the number "
        "of different characters in the window.",
        columns=("heads", "layer", "effective rank", "exact rank"),
        rows=tuple(rows),
    )


def copying_table(recipe: Recipe, evidence: Evidence) -> Figure:
    """The task that one head must fail."""
    rows: list[Row] = []
    for heads in dict.fromkeys((1, recipe.several)):
        arm = copiers(evidence, heads)
        means = [arm.mean(name).estimate for name in ("copied", "copied_with_heads_swapped")]
        if math.isfinite(means[0]):
            rows.append((heads, *map(significant, means)))
    return Figure(
        name="copying",
        title="Copying four tokens at once",
        caption="Percent of positions at which all four tokens are right: as trained, and with each head's values given to the "
        "next head.",
        columns=("heads", "copied, %", "with heads swapped, %"),
        rows=tuple(rows),
    )


def ranks_table(evidence: Evidence) -> Figure:
    """What was counted over the integers."""
    results = evidence.of(Ranks)
    names = ("draws", "above", "below", "singular")
    rows = [(kind, *(significant(total(results, f"{kind}_{name}")) for name in names)) for kind in KINDS] if results else []
    return Figure(
        name="ranks",
        title="The rank of weights times values",
        caption="Exact ranks of integer matrices: products whose rank is above or below the smaller of the two factors' ranks, "
        "and weights that are not invertible. Cancelling: tokens in pairs with equal queries and keys and opposite values. "
        "Planted: not a product, which the count must find above.",
        columns=("weights", "products", "above the smaller rank", "below it", "weights not invertible"),
        rows=tuple(rows),
    )
