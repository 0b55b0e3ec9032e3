"""Random directed graphs with all kinds of trouble, and a layer's weights for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.experiments.convolution_forms.tasks import OnGraphs
from erlangen.nn.graph.algebra import in_degree, isolated_nodes, multi_edges, self_loops
from erlangen.nn.graph.convolution import Form, GraphConvolution
from erlangen.records.runs import Measurement

DTYPES = {"float32": torch.float32, "float64": torch.float64}
Activation: TypeAlias = Callable[[Tensor], Tensor] | None
WIDTH = 3
NARROW, WIDE = 2, 4  # the matrix form multiplies by W before or after it adds up, whichever moves narrower rows


@dataclass(frozen=True)
class Drawn:
    """A graph and what a layer needs; every number is a float32, so that both precisions compute the same thing.

    edge_index (2, E), x (N, 3), edge_weight (E,), W (out, 3), bias (out,), B (out, 3); cotangent (N, out) is what the outputs
    are weighted by in the sum whose gradients are compared.
    """

    edge_index: Tensor
    x: Tensor
    edge_weight: Tensor
    w: Tensor
    bias: Tensor
    b: Tensor
    cotangent: Tensor

    @property
    def n(self) -> int:
        return len(self.x)

    def parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        """W, bias, B: the order of the layer's own parameters."""
        return self.w, self.bias, self.b

    def leaves(self) -> list[Tensor]:
        """x, W, bias, B and edge weights in float64, with gradients to come."""
        return [value.double().requires_grad_() for value in (self.x, *self.parameters(), self.edge_weight)]

    def both_ways(self) -> Drawn:
        """The same with every edge in both directions."""
        both = torch.cat([self.edge_index, self.edge_index.flip(0)], dim=1)
        return replace(self, edge_index=both, edge_weight=self.edge_weight.repeat(2))


def random_edges(rng: np.random.Generator, nodes: int) -> tuple[int, Tensor]:
    """2 to `nodes` nodes and edges from any of them to any, up to three a node; half of the graphs have no multi-edges."""
    n = int(rng.integers(2, nodes + 1))
    edges = rng.integers(0, n, (2, int(rng.integers(0, 3 * n + 1))))
    if rng.random() < 0.5:
        edges = rng.permutation(np.unique(edges, axis=1), axis=1)
    return n, torch.from_numpy(edges)


def drawn_graphs(task: OnGraphs, seed: int, square: bool = False) -> Iterator[Drawn]:
    """The task's random graphs, each with features and weights. square: W and B are 3 × 3."""
    rng = np.random.default_rng(seed)
    for number in range(task.graphs):
        n, edge_index = random_edges(rng, task.nodes)
        out = WIDTH if square else (NARROW, WIDE)[number % 2]
        shapes = ((n, WIDTH), (edge_index.shape[1],), (out, WIDTH), (out,), (out, WIDTH), (n, out))
        x, weight, w, bias, b, cotangent = (torch.from_numpy(rng.normal(size=shape)).float() for shape in shapes)
        yield Drawn(edge_index, x, weight, w / 2, bias / 2, b / 2, cotangent)  # halved: σ should not saturate and hide things


def kinds(drawn: Sequence[Drawn]) -> Measurement:
    """How many of the graphs have isolated nodes, nodes that nothing reaches, self-loops, multi-edges, no edges at all."""
    counts = np.zeros(5)
    for case in drawn:
        edges, n = case.edge_index, case.n
        unreached, none = in_degree(edges, n) == 0, torch.tensor([edges.numel() == 0])
        found = (isolated_nodes(edges, n), unreached, self_loops(edges), multi_edges(edges), none)
        counts += [bool(kind.any()) for kind in found]
    return Measurement("kinds", tuple(float(count) for count in counts), "graphs")


def layer_of(case: Drawn, form: Form, dtype: torch.dtype, activation: Activation = torch.tanh) -> GraphConvolution:
    """The layer in one of its forms, with the drawn weights."""
    out, width = case.w.shape
    layer = GraphConvolution(width, out, form=form, activation=activation).to(dtype)
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), case.parameters(), strict=True):
            parameter.copy_(value)
    return layer


def gradients(output: Tensor, leaves: Sequence[Tensor], case: Drawn) -> list[Tensor]:
    """The output, then the gradients of its weighted sum: zeros for a leaf on which it does not depend."""
    total = (output * case.cotangent.to(output.dtype)).sum()
    return [output.detach(), *torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)]


def of_layer(case: Drawn, layer: nn.Module, dtype: torch.dtype, weighted: bool) -> list[Tensor]:
    """Output of a layer, gradients of x, W, bias, B and, where they are used, of the edge weights."""
    x = case.x.to(dtype).requires_grad_()
    if not weighted:
        return gradients(layer(x, case.edge_index), [x, *layer.parameters()], case)
    weight = case.edge_weight.to(dtype).requires_grad_()
    return gradients(layer(x, case.edge_index, weight), [x, *layer.parameters(), weight], case)
