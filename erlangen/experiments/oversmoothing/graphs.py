"""The graph of a task: its giant component or all of it, with features of equal size."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from erlangen.data.graph_file import named_graph
from erlangen.data.graphs import Graph, block_model, giant_component

DEGREE, RATIO = 9.0, 12  # neighbors of a node's own class in a block model, and how much rarer those of another class are


def graph_of(data: str, nodes: int, digest: str, seed: int, *, giant: bool = True) -> Graph:
    """The graph, block models drawn by the seed; each node's features have mean square 1, as the first weights expect."""
    whole = blocks(nodes, seed) if data == "blocks" else named_graph(data, digest)
    graph = giant_component(whole) if giant else whole
    size = graph.x.square().mean(1, keepdim=True).sqrt()
    return replace(graph, x=graph.x / size.clamp(min=1e-12))


@cache
def blocks(nodes: int, seed: int) -> Graph:
    """Four classes of equal size, alike along edges, with features that alone do not tell them apart; half to validate."""
    quarter = nodes // 4
    inside = min(DEGREE / quarter, 1.0)
    return block_model(
        (quarter,) * 4, within=inside, between=inside / RATIO, features=32, signal=1.5, noise=1.0, train=20,
        validation=2 * (quarter - 20), seed=seed,
    )  # fmt: skip
