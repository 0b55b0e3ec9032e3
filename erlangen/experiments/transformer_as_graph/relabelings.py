"""Claim G9: which relabelings of its tokens a layer commutes with, counted over all of them."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from erlangen.experiments.transformer_as_graph.layers import WIDTH, random_layer
from erlangen.experiments.transformer_as_graph.tasks import Relabel
from erlangen.measure.equivariance import relative_change
from erlangen.models.graph_transformer import TransformerBlock
from erlangen.nn.graph.algebra import add_self_loops, complete_graph
from erlangen.records.runs import Job, Measurement

NODES = 5
EQUAL, APART = 1e-10, 1e-4  # error over the spread of the outputs, in float64
RING = tuple((u, (u + step) % NODES) for u in range(NODES) for step in (1, -1))
STAR = tuple(pair for leaf in range(1, NODES) for pair in ((0, leaf), (leaf, 0)))


def graphs() -> dict[str, Tensor]:
    """The graphs that a layer is tried on, self-loops included."""
    return {
        "complete": complete_graph(NODES),
        "causal": complete_graph(NODES, causal=True),
        "ring": add_self_loops(torch.tensor(RING).T, NODES),
        "star": add_self_loops(torch.tensor(STAR).T, NODES),
        "self": add_self_loops(torch.empty(2, 0, dtype=torch.int64), NODES),
    }


@torch.no_grad()
def relabel(task: Relabel, job: Job) -> list[Measurement]:
    """Of all relabelings p of five tokens: how many the layer commutes with, f(x[p]) = f(x)[p], and how many keep the graph.

    wrong: those it commutes with that do not keep the graph, or the other way round, or that lie between equal and apart.
    error: the largest of those that commute; apart: the least of the others. Over the spread of the outputs.
    """
    generator = torch.Generator().manual_seed(job.seed)
    block = TransformerBlock.of_torch(random_layer(2, True, generator))
    x = torch.randn(NODES, WIDTH, generator=generator, dtype=torch.float64)
    measured = []
    for name, edges in graphs().items():
        expected = block(x, edges)
        errors: dict[bool, list[float]] = {True: [], False: []}  # by whether p keeps the graph
        for p in permutations(range(NODES)):
            moved = float(relative_change(expected[list(p)], block(x[list(p)], edges)).max())
            errors[keeps(edges, p)].append(moved)
        kept, lost = errors[True], errors[False]
        counts = {
            "cases": len(kept) + len(lost),
            "commuting": sum(error <= EQUAL for error in kept + lost),
            "keeping": len(kept),
            "wrong": sum(not error <= EQUAL for error in kept) + sum(not error >= APART for error in lost),
        }
        spreads = {"error": max(kept), "apart": min(lost, default=float("nan"))}
        measured += [Measurement(f"{name}_{what}", count, "relabelings") for what, count in counts.items()]
        measured += [Measurement(f"{name}_{what}", size, "spread of the output") for what, size in spreads.items()]
    return measured


def keeps(edges: Tensor, p: tuple[int, ...]) -> bool:
    """Whether p maps the edges onto themselves."""
    there = {(u, v) for u, v in edges.T.tolist()}
    return {(p[u], p[v]) for u, v in there} == there
