"""What attention costs on a graph: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.intervals import mean_interval

NAMES = {"gat": "GAT", "dot": "dot product, along edges", "plain": "Transformer, written down", "fused": "Transformer, fused"}
COLORS = alt.Scale(domain=list(NAMES.values()), range=["#D55E00", "#E69F00", "#0072B2", "#009E73"])


def points(results: Sequence[JobResult], over: tuple[str, ...], panels: dict[str, str]) -> list[tuple[Scalar, ...]]:
    """(layer, panel, size, geometric mean over seeds)."""
    rows: list[tuple[Scalar, ...]] = []
    for layer, title in NAMES.items():
        found = [result for result in results if result.params["layer"] == layer and result.params["over"] in over]
        for name, panel in panels.items():
            for place, size in enumerate(str(found[0].params["sizes"]).split(",") if found else []):
                values = [result.values(name)[place] for result in found if len(result.values(name)) > place]
                mean = mean_interval([math.log(value) if value > 0 else math.nan for value in values]).estimate
                if math.isfinite(mean):
                    rows.append((title, panel, int(size), float(f"{math.exp(mean):.4g}")))
    return rows


def drawn(rows: list[tuple[Scalar, ...]], columns: tuple[str, ...], panels: Sequence[str]) -> dict[str, object]:
    log = alt.Scale(type="log")
    chart = (
        alt.Chart(records(columns, rows))
        .mark_line(point=True)
        .encode(
            x=alt.X(f"{columns[2]}:Q", scale=alt.Scale(type="log", base=2)), y=alt.Y(f"{columns[3]}:Q", scale=log, title=None),
            color=alt.Color("layer:N", title=None, scale=COLORS), tooltip=tooltip(columns, rows),
        )
        .properties(width=250, height=230)
        .facet(alt.Facet("panel:N", title=None, sort=list(panels)), columns=2)
        .resolve_scale(y="independent")
    )  # fmt: skip
    return spec(chart)


def size_figure(results: Sequence[JobResult]) -> list[Figure]:
    """Time and memory over the number of nodes; nothing where nothing was measured."""
    columns, panels = ("layer", "panel", "nodes", "cost"), {"seconds": "time, s", "memory": "memory, MiB"}
    rows = points(results, ("nodes", "tokens"), panels)
    if not rows:
        return []
    return [
        Figure(
            name="size",
            title="Cost over the number of nodes",
            caption="One layer, forward and backward, one core; geometric mean over seeds, both axes logarithmic. Along edges: a "
            "fixed number of neighbors a node.",
            columns=columns,
            rows=tuple(rows),
            spec=drawn(rows, columns, list(panels.values())),
        )
    ]


def density_figure(results: Sequence[JobResult]) -> list[Figure]:
    """Time over the number of neighbors at a fixed number of nodes."""
    columns, panels = ("layer", "panel", "neighbors", "cost"), {"seconds": "time, s", "memory": "memory, MiB"}
    rows = points(results, ("degrees",), panels)
    if not rows:
        return []
    filled = next(result.params["filled"] for result in results if result.params["over"] == "degrees")
    return [
        Figure(
            name="density",
            title="Cost as the graph fills",
            caption=f"A graph of {filled} nodes, up to the complete one on the right. The Transformer attends to all anyway.",
            columns=columns,
            rows=tuple(rows),
            spec=drawn(rows, columns, list(panels.values())),
        )
    ]
