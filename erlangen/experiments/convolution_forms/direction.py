"""G5: edges reversed, on which graphs the layer shows it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from erlangen.experiments.convolution_forms.dense import adjacency_and_degree, differs
from erlangen.experiments.convolution_forms.drawing import Drawn, drawn_graphs, layer_of
from erlangen.experiments.convolution_forms.tasks import Direction, EveryGraph
from erlangen.records.runs import Job, Measurement

KINDS = ("symmetric", "directed", "directed with multi-edges")


def kind_of(edge_index: Tensor, n: int) -> str:
    """By the matrix alone: A = Aᵀ, or not, and whether an edge occurs more than once."""
    a, _ = adjacency_and_degree(edge_index, n, torch.ones(edge_index.shape[1], dtype=torch.float64))
    if torch.equal(a, a.T):
        return "symmetric"
    return "directed with multi-edges" if bool((a > 1).any()) else "directed"


@torch.no_grad()
def seen(case: Drawn) -> bool:
    """Whether the layer's output changes when all edges are reversed."""
    layer, x = layer_of(case, "matrix", torch.float64, None), case.x.double()
    return differs(layer(x, case.edge_index.flip(0)), layer(x, case.edge_index))


def counted(graphs: Iterator[Drawn]) -> tuple[list[Measurement], Tensor]:
    """Graphs of each kind and those where the wrong direction is seen; the first directed one where it is not."""
    counts = {kind: [0.0, 0.0] for kind in KINDS}
    hidden = torch.zeros(2, 0, dtype=torch.int64)
    for case in graphs:
        kind, visible = kind_of(case.edge_index, case.n), seen(case)
        counts[kind][0] += 1
        counts[kind][1] += visible
        if kind != "symmetric" and not visible and not hidden.numel():
            hidden = case.edge_index
    return [Measurement(kind, tuple(count), "graphs, seen") for kind, count in counts.items()], hidden


def direction(task: Direction, job: Job) -> list[Measurement]:
    """Every drawn graph as it is, and with each edge both ways."""
    return counted(version for case in drawn_graphs(task, job.seed) for version in (case, case.both_ways()))[0]


def small_graphs() -> Iterator[tuple[int, Tensor]]:
    """Every graph of 1 to 3 nodes with at most one edge from each to each, and of 2 nodes with up to three; self-loops too."""
    for n, most in ((1, 1), (2, 3), (3, 1)):
        places = torch.tensor(list(product(range(n), range(n)))).T  # (2, n²)
        for times in product(range(most + 1), repeat=n * n):
            yield n, places.repeat_interleave(torch.tensor(times), dim=1)


def every_graph(task: EveryGraph, job: Job) -> list[Measurement]:
    """All small graphs, with features and weights drawn for each."""
    generator = torch.Generator().manual_seed(job.seed)

    def cases() -> Iterator[Drawn]:
        for n, edges in small_graphs():
            x, w, bias, b = (torch.randn(*shape, generator=generator) for shape in ((n, 3), (3, 3), (3,), (3, 3)))
            yield Drawn(edges, x, torch.ones(edges.shape[1]), w, bias, b, torch.ones(n, 3))

    counts, hidden = counted(cases())
    return [*counts, Measurement("hidden", tuple(float(node) for node in hidden.flatten()), "sources, then targets")]
