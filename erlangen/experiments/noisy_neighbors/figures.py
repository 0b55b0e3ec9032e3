"""Attention among noisy neighbors: figures, each with the table behind it."""

from __future__ import annotations

import math
from itertools import product

import altair as alt
import numpy as np

from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.experiments.noisy_neighbors import KINDS, LAYERS, REGIMES, Recipe
from erlangen.experiments.noisy_neighbors.evidence import Arms, grid, line, log_ratio, shares
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.intervals import mean_interval

NAMES = {"gcn": "GCN", "gat": "GAT", "gatv2": "GATv2", "uniform": "GAT, frozen uniform"}
COLORS = alt.Scale(domain=list(NAMES.values()), range=["#0072B2", "#D55E00", "#E69F00", "#009E73"])
TITLES = {"blocks": "Block models", "cora": "Cora"}


def share_text(share: float) -> str:
    return f"{100 * share:.0f} %"


def map_figure(recipe: Recipe, found: Arms, regime: str) -> Figure:
    """Accuracy of every arm at every pair of shares."""
    columns = ("arm", "noisy nodes", "noisy edges", "accuracy", "interval", "less GCN")
    rows: list[tuple[Scalar, ...]] = []
    gcn = np.array([grid(result, recipe, regime) for result in found.by_layer["gcn"]])  # (seeds, shares, shares)
    for layer in LAYERS:
        tables = np.array([grid(result, recipe, regime) for result in found.by_layer[layer]])
        for (i, nodes), (j, edges) in product(enumerate(shares(recipe, regime)), repeat=2):
            interval = mean_interval(tables[:, i, j].tolist())
            rows.append(
                (
                    NAMES[layer],
                    share_text(nodes),
                    share_text(edges),
                    round(interval.estimate, 1),
                    f"{interval.low:.1f} to {interval.high:.1f}",
                    round(float((tables - gcn)[:, i, j].mean()), 1),
                )
            )
    order = [share_text(share) for share in shares(recipe, regime)]
    cells = alt.Chart(records(columns, rows)).encode(
        x=alt.X("noisy edges:N", sort=order, axis=alt.Axis(labelAngle=0)), y=alt.Y("noisy nodes:N", sort=order[::-1])
    )
    values = [float(str(row[3])) for row in rows]
    middle = (min(values) + max(values)) / 2
    boxes = cells.mark_rect().encode(
        color=alt.Color("accuracy:Q", title="accuracy, %", scale=alt.Scale(scheme="blues", zero=False)),
        tooltip=tooltip(columns, rows),
    )
    numbers = cells.mark_text(fontSize=10).encode(
        text=alt.Text("accuracy:Q", format=".0f"),
        color=alt.condition(f"datum.accuracy > {middle}", alt.value("white"), alt.value("black")),
    )
    size = 190 if len(order) > 3 else 140
    chart = (
        (boxes + numbers)
        .properties(width=size, height=size)
        .facet(alt.Facet("arm:N", title=None, sort=list(NAMES.values())), columns=2)
    )
    met = {"test": "met in the test alone", "training": "met in training too"}[regime]
    return Figure(
        name=f"map-{found.data}-{regime}",
        title=f"{TITLES[found.data]}: accuracy under both kinds of noise, {met}",
        caption=f"Mean of {len(found.seeds)} seeds, test nodes whose own features are clean. Noisy nodes have another node's "
        "features, noisy edges lead to a random node.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart),
    )


def line_figure(recipe: Recipe, found: Arms) -> Figure:
    """Accuracy as one kind of noise rises, with bands."""
    columns = ("arm", "noise", "share", "accuracy", "low", "high")
    rows: list[tuple[Scalar, ...]] = []
    for layer, kind, regime in product(LAYERS, KINDS, REGIMES):
        lines = np.array([line(grid(result, recipe, regime), kind) for result in found.by_layer[layer]])  # (seeds, shares)
        for share, values in zip(shares(recipe, regime), lines.T, strict=True):
            interval = mean_interval(values.tolist())
            ends = [None if math.isnan(end) else round(end, 2) for end in (interval.low, interval.high)]
            rows.append((NAMES[layer], f"{kind}, in {regime}", 100 * share, round(interval.estimate, 2), *ends))
    base = alt.Chart(records(columns, rows)).encode(
        x=alt.X("share:Q", title="noise, %"),
        color=alt.Color("arm:N", title=None, scale=COLORS, legend=alt.Legend(symbolOpacity=1)),
    )
    scale = alt.Scale(zero=False)
    bands = base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q", title="accuracy, %", scale=scale), y2="high:Q")
    lines_drawn = base.mark_line(point=True).encode(y=alt.Y("accuracy:Q", scale=scale), tooltip=tooltip(columns, rows))
    order = [f"{kind}, in {regime}" for regime in REGIMES for kind in KINDS]
    chart = (bands + lines_drawn).properties(width=160, height=150).facet(alt.Facet("noise:N", title=None, sort=order), columns=3)
    return Figure(
        name=f"lines-{found.data}",
        title=f"{TITLES[found.data]}: accuracy as noise rises",
        caption=f"Mean and 95 % interval of {len(found.seeds)} seeds, test nodes whose own features are clean. Arms are compared "
        "seed by seed, which is sharper than these bands.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart),
    )


def attention_figure(recipe: Recipe, found: Arms) -> Figure:
    """Attention on noisy neighbors over their share; and one node's neighbors."""
    columns = ("arm", "noise", "attention / share", "low", "high")
    rows: list[tuple[Scalar, ...]] = []
    for layer, kind, regime in product(LAYERS, ("nodes", "edges"), REGIMES):
        interval = mean_interval([log_ratio(result, regime, kind) for result in found.by_layer[layer]]).exp()
        ends = [None if math.isnan(end) else round(end, 4) for end in (interval.low, interval.high)]
        rows.append((NAMES[layer], f"{kind}, in {regime}", round(interval.estimate, 4), *ends))
    base = alt.Chart(records(columns, rows)).encode(
        y=alt.Y("noise:N", title=None), yOffset=alt.YOffset("arm:N", sort=list(NAMES.values())),
        color=alt.Color("arm:N", title=None, scale=COLORS),
    )  # fmt: skip
    scale = alt.Scale(zero=False)
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, title="attention / share"), x2="high:Q")
    dots = base.mark_circle(size=70, opacity=1).encode(
        x=alt.X("attention / share:Q", scale=scale), tooltip=tooltip(columns, rows)
    )
    equal = alt.Chart(alt.InlineData(values=[{"one": 1}])).mark_rule(strokeDash=[4, 4], color="#888").encode(x="one:Q")
    return Figure(
        name=f"attention-{found.data}",
        title=f"{TITLES[found.data]}: are noisy neighbors listened to less?",
        caption="Attention on noisy neighbors over their share of the neighbors, at clean nodes with both kinds, mean over "
        "shares and layers; 1 (dashed) is no difference, left of it they are listened to less. GCN's are weights of its own.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(equal + bars + dots, height=190),
    )


def node_figure(found: Arms) -> Figure | None:
    """One node among its neighbors, edges as wide as the attention they get; None where no seed has such a node."""
    columns = ("arm", "neighbor", "kind", "attention", "x", "y")
    rows: list[tuple[Scalar, ...]] = []
    seed = next((n for n, result in enumerate(found.by_layer["gat"]) if result.values("one_node")), None)
    if seed is None:
        return None
    for layer in LAYERS:
        flat = found.by_layer[layer][seed].values("one_node")
        weights, kinds = flat[::2], flat[1::2]
        for place, (weight, kind) in enumerate(zip(weights, kinds, strict=True)):
            angle = 2 * math.pi * place / len(weights)
            name = "noise" if kind else "clean"
            rows.append((NAMES[layer], place + 1, name, round(weight, 4), round(math.sin(angle), 4), round(math.cos(angle), 4)))
    drawn = [
        {
            **dict(zip(columns, row, strict=True)),
            "middle": 0,
            "out x": 1.28 * float(str(row[4])),
            "out y": 1.28 * float(str(row[5])),
        }
        for row in rows
    ]
    base = alt.Chart(alt.InlineData(values=drawn))
    color = alt.Color("kind:N", title="features", scale=alt.Scale(domain=["clean", "noise"], range=["#0072B2", "#D55E00"]))
    widest = max(float(str(row[3])) for row in rows)
    edges = base.mark_rule(opacity=0.8).encode(
        **at("x", "y"), x2="middle:Q", y2="middle:Q", color=color,
        strokeWidth=alt.StrokeWidth("attention:Q", scale=alt.Scale(domain=[0, widest], range=[0.3, 12]), legend=None),
    )  # fmt: skip
    shown = tooltip(columns[:4], [row[:4] for row in rows])
    nodes = base.mark_circle(size=220, opacity=1).encode(**at("x", "y"), color=color, tooltip=shown)
    center = base.mark_circle(size=320, opacity=1, color="#888").encode(**at("middle", "middle"))
    numbers = base.mark_text(fontSize=10, color="#888").encode(**at("out x", "out y"), text=alt.Text("attention:Q", format=".2f"))
    star = (edges + center + nodes + numbers).properties(width=230, height=230)
    chart = star.facet(alt.Facet("arm:N", title=None, sort=list(NAMES.values())), columns=2)
    return Figure(
        name=f"node-{found.data}",
        title=f"{TITLES[found.data]}: whom one node listens to",
        caption=f"A clean node with three or more neighbors of each kind, seed {found.seeds[seed]}, half of all nodes noisy; "
        "first layer, mean over heads, itself left out. The width of an edge is the attention on it.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart),
    )  # fmt: skip


def at(x: str, y: str) -> dict[str, alt.X | alt.Y]:
    """A place in the picture, the same scale and no axis in every layer of it."""
    scale = alt.Scale(domain=[-1.5, 1.5])
    return {"x": alt.X(f"{x}:Q", scale=scale, axis=None), "y": alt.Y(f"{y}:Q", scale=scale, axis=None)}


def weights_figure(exact: list[JobResult]) -> Figure:
    """What was counted of the weights, layer by layer."""
    rows: list[tuple[Scalar, ...]] = []
    for name, title in (("mean", "mean form"), ("gcn", "GCN"), ("gat", "GAT"), ("gatv2", "GATv2")):
        unequal, nodes, changed, edges = (
            sum(result.value(f"{name}_{what}") for result in exact) for what in ("unequal", "nodes", "changed", "edges")
        )
        pairs, turned = (sum(result.value(f"{name}_{what}") for result in exact) for what in ("pairs", "turned"))
        order = "-" if math.isnan(pairs) else f"{turned:.0f} of {pairs:.0f}"
        rows.append((title, f"{unequal:.0f} of {nodes:.0f}", f"{changed:.0f} of {edges:.0f}", order))
    return Figure(
        name="weights",
        title="By which weights a node listens",
        caption="Karate club and block models with random features and parameters, float64. Order: pairs of neighbors and of "
        "nodes that ask, on complete graphs, that disagree which neighbor comes first.",
        columns=(
            "layer",
            "nodes whose neighbors' weights differ",
            "edges whose weight changes with the features",
            "orders that turn",
        ),
        rows=tuple(rows),
    )
