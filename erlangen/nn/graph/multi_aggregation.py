"""Several aggregators at once: `MultiAggregation`, and `DegreeScalerAggregation`, which scales their results by the degree.

Sources: Corso et al., "Principal Neighbourhood Aggregation for Graph Nets", NeurIPS 2020; Tailor et al., "Adaptive Filters and
Low-Latency Graph Neural Networks", ICLR 2022; PyG's modules of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from erlangen.nn.graph.aggregators import Aggregator, aggregated_width, named_aggregator

Mode = Literal["cat", "proj", "attn", "sum", "mean", "max", "min", "logsumexp", "std", "var"]
Scaler = Literal["identity", "amplification", "attenuation", "linear", "inverse_linear"]


class MultiAggregation(Aggregator):
    """The results of several aggregators, combined.

    aggrs: names (see `erlangen.nn.graph.aggregators`) or modules; aggrs_kwargs: the arguments of each. mode: "cat" puts the
    results side by side; "proj" does, and maps them to `out_channels`; "attn" maps each to `out_channels`, lets them attend to
    each other with `num_heads`, and takes their mean; the other modes are taken over the results, feature by feature.
    mode_kwargs: in_channels (a width, or one for each aggregator), out_channels and num_heads. Raises ValueError for what does
    not fit.
    """

    def __init__(
        self,
        aggrs: Sequence[str | nn.Module],
        aggrs_kwargs: Sequence[Mapping[str, Any]] | None = None,
        mode: Mode = "cat",
        mode_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not aggrs:
            raise ValueError("MultiAggregation: aggrs is empty: name at least one aggregator")
        arguments = [{}] * len(aggrs) if aggrs_kwargs is None else aggrs_kwargs
        if len(arguments) != len(aggrs):
            raise ValueError(
                f"MultiAggregation: there are {len(aggrs)} aggrs, but {len(arguments)} aggrs_kwargs: give one for each"
            )
        if mode not in get_args(Mode):
            raise ValueError(f"MultiAggregation: mode {mode!r} is unknown: choose one of {', '.join(get_args(Mode))}")
        self.aggrs = nn.ModuleList(named_aggregator(name, given) for name, given in zip(aggrs, arguments, strict=True))
        self.mode = mode
        if mode in ("proj", "attn"):
            self._learn(**(mode_kwargs or {}))

    def _learn(self, in_channels: int | Sequence[int], out_channels: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        """The weights of "proj" and "attn"."""
        given = [in_channels] * len(self.aggrs) if isinstance(in_channels, int) else list(in_channels)
        widths = [aggregated_width(aggr, width) for aggr, width in zip(self.aggrs, given, strict=True)]
        self.out_channels = out_channels
        if self.mode == "proj":
            self.lin = nn.Linear(sum(widths), out_channels)
        else:
            self.lin_heads = nn.ModuleList(nn.Linear(width, out_channels) for width in widths)
            self.multihead_attn = nn.MultiheadAttention(out_channels, num_heads, dropout)

    def reset_parameters(self) -> None:
        for module in self.modules():
            if module is not self and not isinstance(module, nn.MultiheadAttention) and hasattr(module, "reset_parameters"):
                module.reset_parameters()  # type: ignore[operator]
        if self.mode == "attn":
            self.multihead_attn._reset_parameters()

    def width(self, in_channels: int) -> int:
        if self.mode in ("proj", "attn"):
            return self.out_channels
        widths = [aggregated_width(aggr, in_channels) for aggr in self.aggrs]
        return sum(widths) if self.mode == "cat" else widths[0]

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        results = [aggr(x, index, dim_size=count, dim=0) for aggr in self.aggrs]
        if self.mode in ("cat", "proj"):
            out = torch.cat(results, dim=-1)
            return cast(Tensor, self.lin(out)) if self.mode == "proj" else out
        if self.mode == "attn":
            tokens = torch.stack(
                [lin(result) for lin, result in zip(self.lin_heads, results, strict=True)]
            )  # (aggrs, count, out)
            return cast(Tensor, self.multihead_attn(tokens, tokens, tokens, need_weights=False)[0]).mean(0)
        return over_results(torch.stack(results), self.mode)

    def __repr__(self) -> str:
        listed = "".join(f"  {aggr},\n" for aggr in self.aggrs)
        return f"{type(self).__name__}([\n{listed}], mode={self.mode})"


def over_results(results: Tensor, mode: str) -> Tensor:
    """(aggrs, ...) -> (...), by the mode. Variance and standard deviation are those of a sample, as torch's."""
    if mode in ("max", "min"):
        return results.amax(0) if mode == "max" else results.amin(0)
    functions = {"sum": torch.sum, "mean": torch.mean, "logsumexp": torch.logsumexp, "std": torch.std, "var": torch.var}
    return cast(Tensor, functions[mode](results, dim=0))  # type: ignore[operator]


class DegreeScalerAggregation(Aggregator):
    """The results of some aggregators, each times some functions of the number n of entries, side by side.

        identity 1,  amplification log(n + 1) / δ,  attenuation δ / log(n + 1),  linear n / δ',  inverse_linear δ' / n

    δ and δ' are the means of log(n + 1) and n over the training graph, whose histogram of degrees is `deg`: deg[n] nodes have n
    neighbors. In divisions n is at least 1. train_norm: δ and δ' are parameters.
    """

    avg_deg_lin: Tensor
    avg_deg_log: Tensor

    def __init__(
        self,
        aggr: str | Sequence[str | nn.Module] | nn.Module,
        scaler: str | Sequence[Scaler],
        deg: Tensor,
        train_norm: bool = False,
        aggr_kwargs: Any = None,
    ) -> None:
        super().__init__()
        self.scaler = [scaler] if isinstance(scaler, str) else list(scaler)
        if unknown := [name for name in self.scaler if name not in get_args(Scaler)]:
            raise ValueError(
                f"DegreeScalerAggregation: scaler {unknown[0]!r} is unknown: choose from {', '.join(get_args(Scaler))}"
            )
        one = isinstance(aggr, (str, nn.Module))
        self.aggr = named_aggregator(aggr, aggr_kwargs) if one else MultiAggregation(aggr, aggr_kwargs)  # type: ignore[arg-type]
        share, n = deg.double() / deg.sum(), torch.arange(len(deg), device=deg.device)
        self.start = {"avg_deg_lin": float((share * n).sum()), "avg_deg_log": float((share * (n + 1).log()).sum())}
        for name in self.start:
            value = torch.empty(1, device=deg.device)
            self.register_parameter(name, nn.Parameter(value)) if train_norm else self.register_buffer(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for name, value in self.start.items():
            getattr(self, name).data.fill_(value)

    def width(self, in_channels: int) -> int:
        return aggregated_width(self.aggr, in_channels) * len(self.scaler)

    def combine(self, x: Tensor, index: Tensor, count: int) -> Tensor:
        out = self.aggr(x, index, dim_size=count, dim=0)
        n = torch.bincount(index, minlength=count).to(out.dtype).view(-1, *[1] * (out.ndim - 1))
        least, linear, log = n.clamp(min=1), self.avg_deg_lin, self.avg_deg_log
        scales = {
            "identity": 1.0, "amplification": (n + 1).log() / log, "attenuation": log / (least + 1).log(),
            "linear": n / linear, "inverse_linear": linear / least,
        }  # fmt: skip
        return torch.cat([out * scales[name] for name in self.scaler], dim=-1)


def aggregator(aggr: Any, arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """The aggregator that a layer's `aggr` means: a name, a module, or a list of them. Raises ValueError for anything else."""
    if isinstance(aggr, (list, tuple)):
        return MultiAggregation(aggr, **(arguments or {}))
    if not isinstance(aggr, (str, nn.Module)):
        raise ValueError(f"aggr must be a name, a list of names, or a module, not {aggr!r}")
    return named_aggregator(aggr, arguments)
