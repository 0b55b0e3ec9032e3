"""Aggregators as modules, with PyG's names and arguments: `SumAggregation()(x, index)`, by index or by ptr, along any axis.

    sum, mean, max, min, mul, var, std, median, quantile            `erlangen.nn.graph.aggregate`, whose conventions hold here
    softmax       Σ_e α_e x_e,  α = softmax(t · x) per group and feature (Li et al., "DeeperGCN", 2020)
    powermean     (mean of clamp(x, 10⁻⁴, 100)^p)^(1/p)
    attentional   Σ_e softmax(gate(x))_e · nn(x)_e (Li et al., "Gated Graph Sequence Neural Networks", ICLR 2016)

`MultiAggregation` and `DegreeScalerAggregation`, of several at once, are in `erlangen.nn.graph.multi_aggregation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from erlangen.nn.graph.aggregate import Aggregation, Interpolation, aggregate
from erlangen.nn.graph.softmax import softmax


class Aggregator(nn.Module):
    """The common part: forward(x, index, ptr, dim_size, dim) combines the entries of x along `dim` that have the same index.

    index (E,) int64, in any order, or ptr (groups + 1,), the ends of consecutive groups. dim_size: number of groups, by default
    the largest index + 1. Subclasses override `combine`. Raises ValueError for input that does not fit.
    """

    def forward(
        self, x: Tensor, index: Tensor | None = None, ptr: Tensor | None = None, dim_size: int | None = None, dim: int = -2
    ) -> Tensor:
        name = type(self).__name__
        if not -x.ndim <= dim < x.ndim:
            raise ValueError(f"{name}: invalid dimension {dim} of a tensor with {x.ndim} dimensions")
        if index is None and ptr is None:
            raise ValueError(f"{name}: pass an index (E,), or a ptr (groups + 1,)")
        count = groups(index, ptr) if dim_size is None else dim_size
        if ptr is not None:
            if count != len(ptr) - 1:
                raise ValueError(f"{name}: invalid 'dim_size' {dim_size}: ptr has {len(ptr) - 1} groups")
            index = torch.arange(count, device=x.device).repeat_interleave(ptr.diff(), output_size=x.shape[dim])
        elif dim_size is not None and not torch.compiler.is_compiling() and dim_size < groups(index, ptr):
            raise ValueError(f"{name}: invalid 'dim_size' {dim_size}: index reaches {groups(index, ptr) - 1}, counted from 0")
        assert index is not None
        return self.combine(x.movedim(dim, 0), index, count).movedim(0, dim)

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        """x (E, ...), index (E,) -> (count, ...)."""
        raise NotImplementedError

    def width(self, in_channels: int) -> int:
        """The number of features that come out for `in_channels` that go in."""
        return in_channels

    def reset_parameters(self) -> None:
        """Set the parameters, if there are any, to what they were at the start."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def groups(index: Tensor | None, ptr: Tensor | None) -> int:
    """The number of groups that an index or a ptr names."""
    if ptr is not None:
        return len(ptr) - 1
    assert index is not None
    return int(index.max()) + 1 if index.numel() else 0


class _Named(Aggregator):
    """An aggregator without arguments, one of `erlangen.nn.graph.aggregate`."""

    how: Aggregation

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        return aggregate(x, index, count, self.how)


class SumAggregation(_Named):
    """Σ_e x_e"""

    how = "sum"


class MeanAggregation(_Named):
    """Σ_e x_e / n"""

    how = "mean"


class MaxAggregation(_Named):
    """The largest entry, per feature."""

    how = "max"


class MinAggregation(_Named):
    """The smallest entry, per feature."""

    how = "min"


class MulAggregation(_Named):
    """Π_e x_e, 1 without entries."""

    how = "mul"


class VarAggregation(Aggregator):
    """The variance of the population, mean(x²) − mean(x)². semi_grad: no gradient through mean(x²)."""

    def __init__(self, semi_grad: bool = False) -> None:
        super().__init__()
        self.semi_grad = semi_grad

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        if not self.semi_grad:
            return aggregate(x, index, count, "var")
        mean = aggregate(x, index, count, "mean")
        return aggregate(x.detach(), index, count, "var") + mean.detach().square() - mean.square()


class StdAggregation(VarAggregation):
    """The standard deviation of the population; its gradient is 0 where all entries are equal."""

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        if not self.semi_grad:
            return aggregate(x, index, count, "std")
        variance = super().combine(x, index, count)
        spread = variance > 0
        return torch.where(spread, torch.where(spread, variance, 1).sqrt(), 0)


class QuantileAggregation(Aggregator):
    """The entry at rank q·(n - 1), per feature, interpolated as by `torch.quantile`; several q are put side by side.

    fill_value: what a group without entries gets. Raises ValueError for a q outside [0, 1] or an unknown interpolation.
    """

    interpolations = frozenset(get_args(Interpolation))

    def __init__(self, q: float | Sequence[float], interpolation: Interpolation = "linear", fill_value: float = 0.0) -> None:
        super().__init__()
        self.qs = [q] if isinstance(q, (int, float)) else list(q)
        if not self.qs:
            raise ValueError("QuantileAggregation: name at least one quantile")
        if outside := [q for q in self.qs if not 0 <= q <= 1]:
            raise ValueError(f"QuantileAggregation: q = {outside[0]} must be in the range [0, 1]")
        if interpolation not in self.interpolations:
            choices = ", ".join(get_args(Interpolation))
            raise ValueError(f"Invalid interpolation method {interpolation!r}: choose one of {choices}")
        self.given, self.interpolation, self.fill_value = q, interpolation, fill_value
        self.q: Tensor
        self.register_buffer("q", torch.tensor(self.qs).view(-1, 1))  # in state dicts, as in PyG's; ranks are those of `qs`

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        parts = [aggregate(x, index, count, "quantile", q=q, interpolation=self.interpolation) for q in self.qs]
        out = torch.cat(parts, dim=-1)
        if self.fill_value:
            empty = torch.bincount(index, minlength=count) == 0
            out = out.masked_fill(empty.view(-1, *[1] * (out.ndim - 1)), self.fill_value)
        return out

    def width(self, in_channels: int) -> int:
        return in_channels * len(self.qs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(q={self.given})"


class MedianAggregation(QuantileAggregation):
    """The median, the lower one of an even number of entries."""

    def __init__(self, fill_value: float = 0.0) -> None:
        super().__init__(0.5, "lower", fill_value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class SoftmaxAggregation(Aggregator):
    """Σ_e softmax(t · x)_e x_e, per feature. learn: t (channels,) is a parameter. semi_grad: no gradient through the weights."""

    def __init__(self, t: float = 1.0, learn: bool = False, semi_grad: bool = False, channels: int = 1) -> None:
        super().__init__()
        if learn and semi_grad:
            raise ValueError("SoftmaxAggregation: with semi_grad nothing can be learned: drop learn or semi_grad")
        if not learn and channels != 1:
            raise ValueError(f"SoftmaxAggregation: channels={channels} needs learn=True")
        self.start, self.learn, self.semi_grad = t, learn, semi_grad
        self.t: float | Tensor = nn.Parameter(torch.full((channels,), float(t))) if learn else t

    def reset_parameters(self) -> None:
        if isinstance(self.t, nn.Parameter):
            nn.init.constant_(self.t, self.start)

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        weight = softmax((x.detach() if self.semi_grad else x) * self.t, index, num_nodes=count)
        return aggregate(weight * x, index, count, "sum")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learn={self.learn})"


class PowerMeanAggregation(Aggregator):
    """(mean of clamp(x, clamp_min, clamp_max)^p)^(1/p), per feature, or the mean of x where p is the number 1.

    learn: p (channels,) is a parameter, and starts at `p`.
    """

    def __init__(
        self,
        p: float = 1.0,
        learn: bool = False,
        channels: int = 1,
        clamp_min: float | None = 1e-4,
        clamp_max: float | None = 100.0,
    ) -> None:
        super().__init__()
        if not learn and channels != 1:
            raise ValueError(f"PowerMeanAggregation: channels={channels} needs learn=True")
        self.start, self.learn, self.clamp_min, self.clamp_max = p, learn, clamp_min, clamp_max
        self.p: float | Tensor = nn.Parameter(torch.full((channels,), float(p))) if learn else p

    def reset_parameters(self) -> None:
        if isinstance(self.p, nn.Parameter):
            nn.init.constant_(self.p, self.start)

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        if not self.learn and self.p == 1:
            return aggregate(x, index, count, "mean")
        mean = aggregate(x.clamp(self.clamp_min, self.clamp_max).pow(self.p), index, count, "mean")
        some = torch.bincount(index, minlength=count).view(-1, *[1] * (mean.ndim - 1)) > 0
        return torch.where(some, torch.where(some, mean, 1).pow(1 / self.p), 0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learn={self.learn})"


class AttentionalAggregation(Aggregator):
    """Σ_e softmax(gate_nn(x))_e · nn(x)_e. gate_nn gives a score per entry or per feature; without `nn`, x itself is added."""

    def __init__(self, gate_nn: nn.Module, nn: nn.Module | None = None) -> None:  # PyG's names
        super().__init__()
        self.gate_nn, self.nn = gate_nn, nn

    def reset_parameters(self) -> None:
        for part in (self.gate_nn, self.nn):
            if part is not None and hasattr(part, "reset_parameters"):
                part.reset_parameters()  # type: ignore[operator]

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        value = x if self.nn is None else self.nn(x)
        return aggregate(softmax(self.gate_nn(x), index, num_nodes=count) * value, index, count, "sum")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(gate_nn={self.gate_nn}, nn={self.nn})"


NAMED: Mapping[str, type[Aggregator]] = {
    "add": SumAggregation,
    "sum": SumAggregation,
    "mean": MeanAggregation,
    "max": MaxAggregation,
    "min": MinAggregation,
    "mul": MulAggregation,
    "var": VarAggregation,
    "std": StdAggregation,
    "median": MedianAggregation,
    "quantile": QuantileAggregation,
    "softmax": SoftmaxAggregation,
    "powermean": PowerMeanAggregation,
}


def named_aggregator(name: str | nn.Module, arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """The aggregator of a name, with its arguments; a module stays as it is. Raises ValueError for another name."""
    if isinstance(name, nn.Module):
        return name
    if name not in NAMED:
        raise ValueError(f"aggr {name!r} is unknown: choose one of {', '.join(NAMED)}, or pass a module with PyG's arguments")
    return NAMED[name](**(arguments or {}))


def aggregated_width(module: nn.Module, in_channels: int) -> int:
    """The number of features that an aggregator returns; one that is not ours is taken to keep it."""
    return module.width(in_channels) if isinstance(module, Aggregator) else in_channels
