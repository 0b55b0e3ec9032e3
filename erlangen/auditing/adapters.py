"""Inputs of each domain -> one call of a model -> one output an input: arrays stacked, texts with masks, graphs side by side."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from erlangen.auditing.model import ModelError
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.text import Text

Select = Callable[[Any], Tensor]
NAMES = ("logits", "last_hidden_state", "prediction_logits", "pooler_output", "out")  # what libraries call the answer, best first


@dataclass(frozen=True)
class Arrays:
    """Images (C, H, W), points (N, d) or series (C, T), stacked: f(x) with x (B, ...).

    channels_first: a two-dimensional output is (C, T), one column a site; else one row a site.
    """

    select: Select | None = None
    channels_first: bool = False
    tells_apart: ClassVar[bool] = True

    def key(self, x: Tensor) -> Hashable:
        return tuple(x.shape), x.dtype

    kin = key

    def collate(self, batch: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (torch.stack(list(batch)),), {}

    def split(self, output: Any, batch: Sequence[Any]) -> list[Tensor]:
        return rows_of(chosen(output, self.select), len(batch))

    def sites(self, y: Tensor) -> Tensor:
        if y.ndim >= 3 or (y.ndim == 2 and self.channels_first):  # (C, ...) -> (sites, C)
            return y.flatten(1).T
        return y if y.ndim == 2 else y.reshape(1, -1)


@dataclass(frozen=True)
class Texts:
    """Token ids with mask and positions, called by the names that the model has for them; `ids` is passed by place.

    mask, positions: the model's names for them, None where it takes none. extra: constant arguments, as use_cache=False.
    """

    mask: str | None = None
    positions: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()
    select: Select | None = None
    tells_apart: ClassVar[bool] = True

    def key(self, x: Text) -> Hashable:
        return len(x), x.mask is None, x.positions is None

    kin = key

    def collate(self, batch: Sequence[Text]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = dict(self.extra)
        for field, name in (("mask", self.mask), ("positions", self.positions)):
            given = [getattr(text, field) for text in batch]
            if given[0] is not None:
                if name is None:
                    raise ModelError(f"this check gives the model {WORDS[field]}, and the model takes none")
                named[name] = torch.stack(given)
        return (torch.stack([text.ids for text in batch]),), named

    def split(self, output: Any, batch: Sequence[Any]) -> list[Tensor]:
        return rows_of(chosen(output, self.select), len(batch))

    def sites(self, y: Tensor) -> Tensor:
        return y if y.ndim == 2 else y.reshape(1, -1) if y.ndim < 2 else y.flatten(1)


WORDS = {"mask": "an attention mask", "positions": "position ids"}


@dataclass(frozen=True)
class Graphs:
    """Graphs, several in one call where the model takes `batch` (N,), the number of each node's graph; else one by one.

    wanted: the names of the further node and edge tensors that the model takes. as_data: builds the single argument of a model
    that takes a whole graph (PyTorch Geometric's `Data`); else it is called as f(x, edge_index, ...).
    """

    wanted: tuple[str, ...] = ()
    batched: bool = False
    as_data: Callable[..., Any] | None = None
    select: Select | None = None

    @property
    def tells_apart(self) -> bool:
        return self.batched

    def key(self, x: Graph) -> Hashable:
        return *self.kin(x), None if self.batched else id(x)

    def kin(self, x: Graph) -> tuple[Hashable, ...]:
        return tuple(sorted(x.nodes)), tuple(sorted(x.edges))

    def collate(self, batch: Sequence[Graph]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        sizes = [len(graph) for graph in batch]
        starts = torch.tensor([0, *sizes]).cumsum(0)
        x = torch.cat([graph.x for graph in batch])  # (N, F)
        edge_index = torch.cat([graph.edge_index + start for graph, start in zip(batch, starts[:-1].tolist(), strict=True)], 1)
        named: dict[str, Any] = {}
        for name in (*batch[0].nodes, *batch[0].edges):
            if name in self.wanted or self.as_data is not None:
                named[name] = torch.cat([{**graph.nodes, **graph.edges}[name] for graph in batch])
        if self.batched:
            named["batch"] = torch.repeat_interleave(torch.arange(len(batch)), torch.tensor(sizes))
        if self.as_data is not None:
            return (self.as_data(x=x, edge_index=edge_index, **named),), {}
        return (x, edge_index), named

    def split(self, output: Any, batch: Sequence[Graph]) -> list[Tensor]:
        y = chosen(output, self.select)
        y = y[:, None] if y.ndim == 1 else y.flatten(1)
        sizes = [len(graph) for graph in batch]
        if len(y) == sum(sizes):
            return list(torch.split(y, sizes))
        if len(y) == len(batch):
            return list(y.unbind())
        if len(batch) == 1 and y.ndim == 2 and len(y) == 1:
            return [y[0]]
        raise ModelError(
            f"the model gave {len(y)} rows for {len(batch)} graphs of {sum(sizes)} nodes: one a node or one a graph is "
            "understood; choose a part of its output with select="
        )

    def sites(self, y: Tensor) -> Tensor:
        return y if y.ndim == 2 else y.reshape(1, -1)


def chosen(output: Any, select: Select | None) -> Tensor:
    """The tensor to judge: what `select` takes, else the output, its `logits` or `last_hidden_state`, or its first tensor."""
    if select is not None:
        output = select(output)
    for name in NAMES:
        if isinstance(output, Tensor):
            break
        found = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        output = found if isinstance(found, Tensor) else output
    if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        output = output[0]
    if not isinstance(output, Tensor):
        raise ModelError(f"the model gave a {type(output).__name__}, not a tensor: choose a part of it with select=")
    return output.to_dense() if output.is_sparse else output


def rows_of(y: Tensor, batch: int) -> list[Tensor]:
    """One output an input; a scalar an input becomes a vector of one."""
    if y.ndim == 0 or len(y) != batch:
        raise ModelError(
            f"the model gave shape {tuple(y.shape)} for a batch of {batch}: its first dimension must count the inputs; "
            "choose or turn its output with select="
        )
    return list((y[:, None] if y.ndim == 1 else y).unbind())


def parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arguments that a model takes; () where it does not tell."""
    target = getattr(function, "forward", function)
    try:
        return tuple(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        return ()


def texts(function: Callable[..., Any], select: Select | None = None) -> Texts:
    """The adapter for a language model: Hugging Face's argument names are recognized, and no cache is asked for."""
    names = parameters_of(function)
    extra = (("use_cache", False),) if "use_cache" in names and "input_ids" in names else ()
    mask = next((name for name in ("attention_mask", "mask", "padding_mask") if name in names), None)
    positions = next((name for name in ("position_ids", "positions") if name in names), None)
    return Texts(mask, positions, extra, select)


def graphs(function: Callable[..., Any], select: Select | None = None) -> Graphs:
    """The adapter for a graph network: f(x, edge_index, ...) or f(data), as its arguments say."""
    names = parameters_of(function)
    if "edge_index" in names or len(names) >= 2:
        return Graphs(names, "batch" in names, None, select)
    return Graphs(names, True, data_of, select)


def data_of(**tensors: Tensor) -> Any:
    """PyTorch Geometric's `Data` of these tensors. Raises ModelError where it is not installed."""
    try:
        from torch_geometric.data import Data
    except ImportError:
        raise ModelError("a model of one argument is called with torch_geometric's Data: pip install torch_geometric") from None
    return Data(**tensors)
