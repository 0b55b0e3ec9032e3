"""The layer as dense matrices, which share no line with its three forms, and differences measured against it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.experiments.convolution_forms.drawing import Activation, Drawn, gradients, layer_of, of_layer
from erlangen.records.runs import Measurement

VISIBLE = 1e-9  # of the largest output, in float64: a million times what is rounding, a millionth of what is not
PLANTED = 3e-5  # by which a weight is off in a layer that must be seen to differ


def adjacency_and_degree(edge_index: Tensor, n: int, weight: Tensor) -> tuple[Tensor, Tensor]:
    """A[target, source] as a product of one-hot matrices, and the in-degrees, at least 1; float64."""
    sources, targets = (F.one_hot(ends, n).double() for ends in edge_index)  # (E, N)
    return targets.T @ (weight[:, None] * sources), targets.sum(0).clamp(min=1)


def dense(case: Drawn, weighted: bool, activation: Callable[[Tensor], Tensor] = torch.tanh) -> list[Tensor]:
    """σ(D⁻¹ A X Wᵀ + bias + X Bᵀ) in float64, and its gradients."""
    x, w, bias, b, weight = leaves = case.leaves()
    a, degree = adjacency_and_degree(case.edge_index, case.n, weight if weighted else torch.ones_like(weight))
    output = activation(torch.diag(1 / degree) @ a @ x @ w.T + bias + x @ b.T)
    return gradients(output, leaves if weighted else leaves[:4], case)


def sizes(case: Drawn, weighted: bool) -> list[float]:
    """How large the terms are that output and gradients add up: the same without signs and without σ.

    Rounding is in proportion to the terms, not to what is left once they cancel.
    """
    values = (case.x, case.edge_weight, *case.parameters(), case.cotangent)
    unsigned = dense(Drawn(case.edge_index, *(value.abs() for value in values)), weighted, torch.clone)
    return [float(value.max()) if value.numel() else 0.0 for value in unsigned]


def difference(a: Tensor, b: Tensor, size: float) -> float:
    """max |a - b| / size, where the size is 0 max |a - b| itself; 0 where both are empty."""
    apart = float((a.detach().double() - b.detach().double()).abs().max()) if b.numel() else 0.0
    return apart / (size or 1)


def differs(a: Tensor, b: Tensor) -> bool:
    """Whether float64 outputs are not the same but for rounding."""
    return difference(a, b, float(b.abs().max())) > VISIBLE


class Differences:
    """Largest differences by name: of each graph over all quantities, and of each quantity over all graphs."""

    def __init__(self) -> None:
        self.found: dict[str, list[list[float]]] = {}

    def add(self, name: str, ours: Sequence[Tensor], theirs: Sequence[Tensor], size: Sequence[float]) -> None:
        rows = self.found.setdefault(name, [])
        rows.append([difference(a, b, s) for a, b, s in zip(ours, theirs, size, strict=True)])

    def plant(self, case: Drawn, truth: Sequence[Tensor], size: Sequence[float], activation: Activation = torch.tanh) -> None:
        """Add a layer in float32 whose W is off by 3e-5: a comparison that does not see it proves nothing."""
        wrong = replace(case, w=case.w * (1 + PLANTED))
        self.add(
            "planted", of_layer(wrong, layer_of(wrong, "index", torch.float32, activation), torch.float32, False), truth, size
        )

    def measurements(self) -> list[Measurement]:
        made = []
        for name, rows in self.found.items():
            made.append(Measurement(name, tuple(largest(row) for row in rows), "of the terms, by graph"))
            by_quantity = tuple(largest(column) for column in zip(*rows, strict=True))
            made.append(Measurement(f"{name}, by quantity", by_quantity, "of the terms"))
        return made


def largest(values: Sequence[float]) -> float:
    """The largest value; NaN where one is NaN, which max() may pass over."""
    return math.nan if any(math.isnan(value) for value in values) else max(values)
