"""Graphs as matrices: what one job computes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from erlangen.data.graphs import Graph, left_graph, right_graph
from erlangen.experiments.graph_algebra.tasks import Matrices, Smooth, Walks, White
from erlangen.experiments.kit.tasks import perform
from erlangen.nn.graph.algebra import adjacency, in_degree, laplacian, walk_counts
from erlangen.records.runs import Job, Measurement

GRAPHS = {"left": left_graph, "right": right_graph}


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Matrices: matrices, Walks: walks, Smooth: smooth, White: white})


def flat(matrix: Tensor) -> tuple[float, ...]:
    """Row by row."""
    return tuple(float(value) for value in matrix.flatten().tolist())


def matrices(task: Matrices, job: Job) -> list[Measurement]:
    """A, A², degrees and L of both graphs."""
    found = []
    for name, make in GRAPHS.items():
        graph = make()
        edges, n = graph.edge_index, graph.num_nodes
        found += [
            Measurement(f"{name}_adjacency", flat(adjacency(edges, n))),
            Measurement(f"{name}_adjacency_squared", flat(walk_counts(edges, n, 2).to_dense())),
            Measurement(f"{name}_degree", flat(in_degree(edges, n)), "edges"),
            Measurement(f"{name}_laplacian", flat(laplacian(edges, n))),
            Measurement(f"{name}_edges", flat(edges), "sources, then targets"),
        ]
    return found


def listed_walks(graph: Graph, start: int, length: int) -> Iterator[list[int]]:
    """Every walk of `length` edges from a node, by following edges: no matrix is involved."""
    neighbors: dict[int, list[int]] = {node: [] for node in range(graph.num_nodes)}
    for source, target in graph.edge_index.T.tolist():
        neighbors[source].append(target)

    def follow(walk: list[int]) -> Iterator[list[int]]:
        if len(walk) == length + 1:
            yield walk
        else:
            for node in neighbors[walk[-1]]:
                yield from follow([*walk, node])

    return follow([start])


def counted_walks(graph: Graph, length: int) -> tuple[Tensor, Tensor]:
    """Walks of `length` edges, and those of them that are paths, by [target, source]; (N, N) each, counted one by one."""
    walked, simple = torch.zeros(2, graph.num_nodes, graph.num_nodes, dtype=torch.int64)
    for start in range(graph.num_nodes):
        for walk in listed_walks(graph, start, length):
            walked[walk[-1], start] += 1
            simple[walk[-1], start] += len(set(walk)) == len(walk)
    return walked, simple


def walks(task: Walks, job: Job) -> list[Measurement]:
    """Entries of Aⁿ against the listed walks, and against those that are paths: no node twice."""
    rows = []
    for length, make in product(range(1, task.length + 1), GRAPHS.values()):
        graph = make()
        power = walk_counts(graph.edge_index, graph.num_nodes, length).to_dense()
        walked, simple = counted_walks(graph, length)
        rows.append((power.numel(), (power != walked).sum(), (power != simple).sum(), walked.sum(), simple.sum()))
    table = torch.tensor(rows)  # (lengths · graphs, 5)
    entries, not_walks, not_paths = table[:, :3].sum(0).tolist()
    walks_by_length, paths_by_length = table[:, 3:].reshape(task.length, len(GRAPHS), 2).sum(1).T
    return [
        Measurement("cases", entries, "entries of Aⁿ"),
        Measurement("entries_that_are_not_walks", not_walks, "entries of Aⁿ"),
        Measurement("entries_that_are_not_paths", not_paths, "entries of Aⁿ"),
        Measurement("walks_by_length", flat(walks_by_length), "walks"),
        Measurement("paths_by_length", flat(paths_by_length), "paths"),
    ]


def right_laplacian() -> Tensor:
    """L of the right graph, (6, 6) float64."""
    graph = right_graph()
    return laplacian(graph.edge_index, graph.num_nodes).double()


def white(task: White, job: Job) -> list[Measurement]:
    """Mean (LX)v² over white signals X, by node."""
    generator = torch.Generator().manual_seed(job.seed)
    matrix = right_laplacian()
    x = torch.randn(len(matrix), task.draws, generator=generator, dtype=torch.float64)  # (N, draws)
    return [Measurement("change", flat((matrix @ x).square().mean(1)))]


def smooth(task: Smooth, job: Job) -> list[Measurement]:
    """The closed form for white X, the diagonal of L Lᵀ, and (LX)v² for X the smoothest signal that is not constant.

    That is the eigenvector x of L's second eigenvalue λ. L x = λ x: a node changes in proportion to its value, not to its degree.
    """
    matrix = right_laplacian()
    values, vectors = torch.linalg.eigh(matrix)
    return [
        Measurement("white_change", flat((matrix @ matrix.T).diagonal())),
        Measurement("smooth_change", flat((matrix @ vectors[:, 1]).square())),
        Measurement("second_eigenvalue", float(values[1])),
    ]
