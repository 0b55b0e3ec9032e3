"""G5: the three forms beside dense matrices, beside matrices that lack a transpose, and beside torch_geometric's layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch
from torch import nn

from erlangen.experiments.convolution_forms.dense import VISIBLE, Differences, adjacency_and_degree, dense, differs, sizes
from erlangen.experiments.convolution_forms.drawing import DTYPES, Drawn, drawn_graphs, kinds, layer_of, of_layer
from erlangen.experiments.convolution_forms.tasks import Matrix, Pyg, Transposes
from erlangen.nn.graph.convolution import Form
from erlangen.records.runs import Job, Measurement

FORMS: tuple[Form, ...] = ("index", "message", "matrix")


def matrix(task: Matrix, job: Job) -> list[Measurement]:
    """The three forms against the dense equation, in both precisions, without edge weights and with them; then rows of D⁻¹A."""
    cases, apart = list(drawn_graphs(task, job.seed)), Differences()
    for case in cases:
        apart.plant(case, dense(case, False), sizes(case, False))
        for weighted in (False, True):
            truth, size = dense(case, weighted), sizes(case, weighted)
            for (name, dtype), form in product(DTYPES.items(), FORMS):
                ours = of_layer(case, layer_of(case, form, dtype), dtype, weighted)
                apart.add(f"{name} {form} form, dense matrices{', weighted' if weighted else ''}", ours, truth, size)
    return [*apart.measurements(), kinds(cases), row_sums(cases), inverses(cases)]


def row_sums(cases: Sequence[Drawn]) -> Measurement:
    """Rows of D⁻¹A, those that do not add up to 1, and the same of nodes that an edge reaches; D⁻¹ is taken as 1 elsewhere."""
    counts = torch.zeros(4, dtype=torch.int64)
    for case in cases:
        a, degree = adjacency_and_degree(case.edge_index, case.n, torch.ones_like(case.edge_weight).double())
        wrong, reached = ((a.sum(1) / degree) - 1).abs() > VISIBLE, a.sum(1) > 0
        counts += torch.stack([torch.tensor(case.n), wrong.sum(), reached.sum(), (wrong & reached).sum()])
    return Measurement("row sums", tuple(map(float, counts)), "rows, not 1, of reached nodes, of these not 1")


def inverses(cases: Sequence[Drawn]) -> Measurement:
    """Graphs in which some node is not reached by an edge, and those of them whose D has an inverse; the same of the others."""
    counts = [0.0, 0.0, 0.0, 0.0]
    for case in cases:
        degree = torch.bincount(case.edge_index[1], minlength=case.n).double()
        first = 0 if (degree == 0).any() else 2
        counts[first] += 1
        counts[first + 1] += int(torch.linalg.inv_ex(torch.diag(degree)).info) == 0
    return Measurement("inverses", tuple(counts), "graphs with a node not reached, with D⁻¹, other graphs, with D⁻¹")


def transposes(task: Transposes, job: Job) -> list[Measurement]:
    """Rows of nodes times W and B as they stand in the column form, for square ones: where that is another layer.

    Then with symmetric W and B, where it is the same; so it is with W alone on a graph without edges.
    """
    counts: dict[str, list[float]] = {}
    for case in drawn_graphs(task, job.seed, square=True):
        even = replace(case, w=case.w + case.w.T, b=case.b + case.b.T)
        arms = {"W": (case, False, True), "B": (case, True, False), "W and B": (case, False, False)}
        arms["symmetric W and B"] = (even, False, False)
        for arm, (drawn, turn_w, turn_b) in arms.items():
            x, w, bias, b = (value.double() for value in (drawn.x, *drawn.parameters()))
            a, degree = adjacency_and_degree(drawn.edge_index, drawn.n, torch.ones_like(drawn.edge_weight).double())
            rows = a @ x / degree[:, None] @ (w.T if turn_w else w) + bias + x @ (b.T if turn_b else b)
            with torch.no_grad():
                right = layer_of(drawn, "index", torch.float64, None)(x, drawn.edge_index)
            count = counts.setdefault("W, no edges" if arm == "W" and not drawn.edge_index.numel() else arm, [0, 0])
            count[0] += 1
            count[1] += differs(rows, right)
    return [Measurement(arm, tuple(count), "graphs, wrong") for arm, count in counts.items()]


def pyg(task: Pyg, job: Job) -> list[Measurement]:
    """SAGEConv without weights, GraphConv(aggr="mean") with them, sharing ours: outputs and gradients."""
    if task.torch_geometric is None:
        return []
    from torch_geometric.nn import GraphConv, SAGEConv

    cases, apart = list(drawn_graphs(task, job.seed)), Differences()
    for case, (name, dtype), weighted in product(cases, DTYPES.items(), (False, True)):
        out, size = len(case.w), sizes(case, weighted)
        peer: nn.Module = GraphConv(3, out, aggr="mean") if weighted else SAGEConv(3, out)
        theirs = of_layer(case, with_weights(peer, case).to(dtype), dtype, weighted)
        if dtype is torch.float64 and not weighted:
            apart.plant(case, theirs, size, None)
        for form in FORMS:
            ours = of_layer(case, layer_of(case, form, dtype, None), dtype, weighted)
            apart.add(f"{name} {form} form, {type(peer).__name__}", ours, theirs, size)
    return [*apart.measurements(), kinds(cases)]


def with_weights(peer: nn.Module, case: Drawn) -> nn.Module:
    """Their layer with the drawn weights; its parameters stand in our order: W, bias, B."""
    state = dict(zip(peer.state_dict(), case.parameters(), strict=True))
    peer.load_state_dict(state)
    return peer
