"""Bytes that each kind of positions stores with a model and computes in a call, as bars."""

from __future__ import annotations

import math

import altair as alt

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, Spec, layout, palette, records, significant, tooltip
from erlangen.experiments.length.memory_parts import BYTES
from erlangen.experiments.length.tasks import MODELS, Memory
from erlangen.records.runs import Figure

KINDS = {"absolute": "learned table", "rotary": "rotary", "alibi": "ALiBi", "t5": "T5's bias"}
COLORS = {"stored with the model": PALETTE[0], "computed in a call": PALETTE[3]}
DRAWN = ("gpt-nano", "gpt-mini", "gpt2", "gpt2-xl")  # the table has all
HEIGHT = 110
COLUMNS = ("model", "positions", "what", "bytes", "MB", "% of the model")


def memory(evidence: Evidence) -> Figure:
    """Stored and computed bytes, model by model."""
    results = {str(result.params["preset"]): result for result in evidence.of(Memory)}
    made: list[Row] = []
    for model in (name for name in MODELS if name in results):
        result = results[model]
        for kind, positions in KINDS.items():
            stored, computed = BYTES * result.value(f"{kind} stored"), result.value(f"{kind} computed")
            share = 100 * result.value(f"{kind} stored") / result.value("model")
            if math.isfinite(stored + computed + share):
                made.append((model, positions, "stored with the model", int(stored), stored / 1e6, significant(share, 3)))
                made.append((model, positions, "computed in a call", int(computed), computed / 1e6, None))
    return Figure(
        name="memory",
        title="What positions store and what they compute",
        caption="Megabytes in float32 at each model's full context, and the share of its parameters. Computed: what a call on a "
        "CPU shares among its layers, beyond what a model without positions needs. FlexAttention on a GPU holds no bias.",
        columns=COLUMNS,
        rows=tuple(made),
        spec=bars([row for row in made if row[0] in DRAWN]),
    )


def bars(rows: list[Row]) -> Spec:
    """A panel for each model, each with its own scale."""
    chart = (
        alt.Chart(records(COLUMNS, rows))
        .mark_bar()
        .encode(
            x=alt.X("MB:Q", title="MB"),
            y=alt.Y("positions:N", title=None, sort=list(KINDS.values())),
            color=alt.Color("what:N", title=None, scale=palette(COLORS)),
            tooltip=tooltip(COLUMNS, rows),
        )
    )
    return layout(chart, HEIGHT, "model", DRAWN, 2, {"x": "independent"})
