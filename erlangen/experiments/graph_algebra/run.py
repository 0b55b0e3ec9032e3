"""Graphs as matrices: what one job computes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from erlangen.data.graphs import Graph, left_graph, right_graph
from erlangen.nn.graph.algebra import adjacency, in_degree, laplacian, walk_counts
from erlangen.records.runs import Job, Measurement

GRAPHS = {"left": left_graph, "right": right_graph}


def run(job: Job) -> list[Measurement]:
    """Measurements of one job, by its task."""
    return {"matrices": matrices, "walks": walks, "white": white, "smooth": smooth}[str(job.params["task"])](job)


def flat(matrix: Tensor) -> tuple[float, ...]:
    """Row by row."""
    return tuple(float(value) for value in matrix.flatten().tolist())


def matrices(job: Job) -> list[Measurement]:
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


def walks(job: Job) -> list[Measurement]:
    """Entries of Aⁿ against the listed walks, and against those that are paths: no node twice."""
    cases, not_walks, not_paths = 0, 0, 0
    by_length: dict[int, list[int]] = {}
    longest = int(str(job.params["length"]))
    for make in GRAPHS.values():
        graph = make()
        n = graph.num_nodes
        for length in range(1, longest + 1):
            counts = walk_counts(graph.edge_index, n, length).to_dense()  # (N, N): [target, source]
            walked, simple = torch.zeros(n, n, dtype=torch.int64), torch.zeros(n, n, dtype=torch.int64)
            for start in range(n):
                for walk in listed_walks(graph, start, length):
                    walked[walk[-1], start] += 1
                    simple[walk[-1], start] += len(set(walk)) == len(walk)
            cases += n * n
            not_walks += int((counts != walked).sum())
            not_paths += int((counts != simple).sum())
            total = by_length.setdefault(length, [0, 0])
            total[0] += int(walked.sum())
            total[1] += int(simple.sum())
    return [
        Measurement("cases", cases, "entries of Aⁿ"),
        Measurement("entries_that_are_not_walks", not_walks, "entries of Aⁿ"),
        Measurement("entries_that_are_not_paths", not_paths, "entries of Aⁿ"),
        Measurement("walks_by_length", tuple(float(total[0]) for total in by_length.values()), "walks"),
        Measurement("paths_by_length", tuple(float(total[1]) for total in by_length.values()), "paths"),
    ]


def right_laplacian() -> Tensor:
    graph = right_graph()
    return laplacian(graph.edge_index, graph.num_nodes).double()


def white(job: Job) -> list[Measurement]:
    """Mean (LX)v² over white signals X, by node."""
    generator = torch.Generator().manual_seed(job.seed)
    matrix = right_laplacian()
    x = torch.randn(len(matrix), int(str(job.params["draws"])), generator=generator, dtype=torch.float64)  # (N, draws)
    return [Measurement("change", flat((matrix @ x).square().mean(1)))]


def smooth(job: Job) -> list[Measurement]:
    """The closed form for white X, the diagonal of L Lᵀ, and (LX)v² for X the smoothest signal that is not constant.

    That is the eigenvector of L's second eigenvalue λ: L x = λ x, so that nodes change as they lie apart, not by degree.
    """
    matrix = right_laplacian()
    values, vectors = torch.linalg.eigh(matrix)
    return [
        Measurement("white_change", flat((matrix @ matrix.T).diagonal())),
        Measurement("smooth_change", flat((matrix @ vectors[:, 1]).square())),
        Measurement("second_eigenvalue", float(values[1])),
    ]
