"""Aggregators: how a node combines the messages that reach it.

    sum, mean, max, min, mul, var, std, median (the lower one), midpoint (of the two medians), quantile, softmax

Conventions for all aggregators:
- a node without messages gets 0, as a product 1, and a graph without edges is valid;
- max, min, medians and quantiles pass their gradient to the messages that have this value, in equal parts if several tie, for any
  value (torch's `scatter_reduce` loses half of it if the largest message is 0);
- var and std are those of the population; the gradient of std is 0 if all messages are equal, where it has no derivative;
- half-precision messages are added in float32 and ranked as they are; counts and ranks are integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor

from erlangen.nn.graph.checks import check_range

Aggregation = Literal["sum", "mean", "max", "min", "mul", "var", "std", "median", "midpoint", "quantile", "softmax"]
Interpolation = Literal["linear", "lower", "higher", "nearest", "midpoint"]


def aggregate(
    messages: Tensor,
    target: Tensor,
    num_nodes: int,
    how: Aggregation = "mean",
    *,
    q: float = 0.5,
    interpolation: Interpolation = "linear",
    temperature: float = 1.0,
) -> Tensor:
    """Combine the messages (E, ...) that reach each node, separately per feature -> (num_nodes, ...).

    target (E,) int64: the node that each message reaches.
    quantile: the value at rank q·(n - 1), interpolated as by `torch.quantile`; q in [0, 1].
    softmax: Σ_e softmax(messages / temperature)_e · messages_e (Li et al. 2020, "DeeperGCN"); temperature > 0.
    Raises ValueError for an unknown `how`, a target that is not a node, or messages that do not fit.
    """
    if how not in get_args(Aggregation):
        raise ValueError(f"aggregation {how!r} is unknown: choose one of {', '.join(get_args(Aggregation))}")
    _check(messages, target, num_nodes)
    if not 0 <= q <= 1:
        raise ValueError(f"aggregation {how!r}: q = {q} is outside [0, 1]")
    if not temperature > 0:
        raise ValueError(f"aggregation {how!r}: temperature = {temperature} must be positive")
    return combine(messages, target, num_nodes, how, q, interpolation, temperature)


def combine(
    messages: Tensor, target: Tensor, num_nodes: int, how: Aggregation, q: float = 0.5,
    interpolation: Interpolation = "linear", temperature: float = 1.0,
) -> Tensor:  # fmt: skip
    """`aggregate` without its checks."""
    rows = messages.reshape(len(messages), messages.shape[1:].numel())  # (E, K)
    if how in ("max", "min"):
        out = _select(rows, _extreme(rows, target, num_nodes, how), target)
    elif how in ("median", "midpoint", "quantile"):
        between: Interpolation = {"median": "lower", "midpoint": "midpoint"}.get(how, interpolation)  # type: ignore[assignment]
        out = _quantile(rows, target, num_nodes, q if how == "quantile" else 0.5, between)
    else:
        exact = rows.to(torch.promote_types(rows.dtype, torch.float32))
        if how == "softmax":
            out = _softmax(exact, target, num_nodes, temperature)
        else:
            out = {"sum": _sum, "mean": _mean, "mul": _product, "var": _variance, "std": _std}[how](exact, target, num_nodes)
    return out.to(messages.dtype).reshape(num_nodes, *messages.shape[1:])


def _check(messages: Tensor, target: Tensor, num_nodes: int) -> None:
    if not messages.is_floating_point():
        raise ValueError(f"messages must have a floating-point dtype, not {messages.dtype}: convert them with .float()")
    if target.dtype != torch.int64 or target.shape != messages.shape[:1]:
        raise ValueError(
            f"target must be torch.int64 {tuple(messages.shape[:1])}, one node for each message, but is {target.dtype} "
            f"{tuple(target.shape)}"
        )
    check_range(target, num_nodes, "target")


def _sum(messages: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    return messages.new_zeros(num_nodes, messages.shape[1]).index_add(0, target, messages)


def _count(target: Tensor, num_nodes: int) -> Tensor:
    """The number of messages at each node, or 1 if there are none, (num_nodes, 1)."""
    zeros = target.new_zeros(num_nodes)
    return zeros.index_add(0, target, torch.ones_like(target)).clamp(min=1)[:, None]


def _mean(messages: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    return _sum(messages, target, num_nodes) / _count(target, num_nodes)


def _product(messages: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    ones = messages.new_ones(num_nodes, messages.shape[1])
    return ones.scatter_reduce(0, target[:, None].expand_as(messages), messages, "prod")


def _variance(messages: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    # Relative to each node's smallest message: no cancellation far from 0, and equal messages deviate by exactly 0.
    least = _extreme(messages.detach(), target, num_nodes, "min")
    apart = messages - least[target]
    return _mean((apart - _mean(apart, target, num_nodes)[target]).square(), target, num_nodes)


def _std(messages: Tensor, target: Tensor, num_nodes: int) -> Tensor:
    variance = _variance(messages, target, num_nodes)
    spread = variance > 0
    return torch.where(spread, torch.where(spread, variance, 1).sqrt(), 0)  # the root of 0 would have an infinite slope


def _softmax(messages: Tensor, target: Tensor, num_nodes: int, temperature: float) -> Tensor:
    # The largest message only keeps exp in range: it cancels, so it needs no gradient.
    most = _extreme(messages.detach(), target, num_nodes, "max")
    weight = ((messages - most[target]) / temperature).exp()
    total = _sum(weight, target, num_nodes)  # at least 1 wherever a message arrives
    return _sum(weight * messages, target, num_nodes) / total.clamp(min=1)


def _extreme(messages: Tensor, target: Tensor, num_nodes: int, how: Literal["max", "min"]) -> Tensor:
    place = target[:, None].expand_as(messages)
    zeros = messages.new_zeros(num_nodes, messages.shape[1])
    reduce: Literal["amax", "amin"] = "amax" if how == "max" else "amin"
    return zeros.scatter_reduce(0, place, messages.detach(), reduce, include_self=False)


def _quantile(messages: Tensor, target: Tensor, num_nodes: int, q: float, interpolation: Interpolation) -> Tensor:
    """The order statistics around rank q·(n - 1), interpolated, each with its gradient; of a single one where that is enough."""
    below, above = (messages.new_zeros(num_nodes, messages.shape[1]) for _ in range(2))
    fraction = torch.zeros(num_nodes, 1, dtype=torch.float64, device=messages.device)
    for nodes, edges in _by_degree(target, num_nodes):
        rank = q * (edges.shape[1] - 1)
        first = {"higher": math.ceil(rank), "nearest": round(rank)}.get(interpolation, math.floor(rank))
        ranked = messages.detach()[edges].sort(dim=1).values  # (n, degree, K)
        below[nodes], above[nodes] = ranked[:, first], ranked[:, math.ceil(rank)]
        fraction[nodes] = (rank - first) if interpolation == "linear" else 0.5
    low = _select(messages, below, target)
    if interpolation in ("lower", "higher", "nearest"):
        return low
    exact = torch.promote_types(messages.dtype, torch.float32)
    low, high = low.to(exact), _select(messages, above, target).to(exact)
    return low + fraction.to(exact) * (high - low)


def _by_degree(target: Tensor, num_nodes: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(nodes (n,), their edges (n, degree)) for each degree above 0. Many short sorts are faster than a single long one."""
    degree = torch.bincount(target, minlength=num_nodes)
    first = degree.cumsum(0) - degree  # (num_nodes,): where the edges of a node begin after sorting by target
    by_target = torch.argsort(target, stable=True)
    sizes, counts = torch.unique(degree, return_counts=True)
    groups = torch.split(torch.argsort(degree, stable=True), counts.tolist())
    for size, nodes in zip(sizes.tolist(), groups, strict=True):
        if size:
            yield nodes, by_target[first[nodes, None] + torch.arange(size, device=target.device)]


class _Select(torch.autograd.Function):
    """messages (E, K), values (N, K) taken from them -> values; the messages equal to a value share its gradient evenly."""

    @staticmethod
    def forward(messages: Tensor, values: Tensor, target: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        chosen, ties, target = _Select.chosen(*ctx.saved_tensors)
        return torch.where(chosen, (grad / ties)[target], 0), None, None

    @staticmethod
    def jvp(ctx: Any, d_messages: Tensor, *_: Tensor | None) -> Tensor:
        chosen, ties, target = _Select.chosen(*ctx.saved_tensors)
        return _sum(torch.where(chosen, d_messages, 0), target, len(ties)) / ties

    @staticmethod
    def chosen(messages: Tensor, values: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which messages equal the value of their node, (E, K), how many do, at least 1, (N, K), and the nodes, (E,)."""
        chosen = messages.detach() == values[target]
        ties = torch.zeros_like(values, dtype=torch.int32).index_add(0, target, chosen.int()).clamp(min=1)
        return chosen, ties, target


def _select(messages: Tensor, values: Tensor, target: Tensor) -> Tensor:
    return cast(Tensor, _Select.apply(messages, values, target))  # type: ignore[no-untyped-call]
