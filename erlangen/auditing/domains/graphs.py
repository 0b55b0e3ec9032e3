"""Graphs: node features (N, F), or none, a list of edges, and perhaps coordinates of the nodes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, argument_names
from erlangen.auditing.domain import Domain
from erlangen.auditing.spelling import option
from erlangen.symmetries.coordinates import dimension
from erlangen.symmetries.duplicate_edges import DuplicateEdges
from erlangen.symmetries.edge_order import EdgeOrder
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.isolated_node import IsolatedNode
from erlangen.symmetries.node_reflection import NodeReflection
from erlangen.symmetries.node_rotation import NodeRotation
from erlangen.symmetries.node_translation import NodeTranslation
from erlangen.symmetries.relabeling import Relabeling


@dataclass(frozen=True)
class Graphs:
    """The adapter for graph networks. Graphs share a call if the model takes `batch` (N,), the index of each node's graph.

    names: arguments of the model, which takes node and edge tensors of these names. as_data: makes the single argument of a model
    that takes a whole graph (PyTorch Geometric's `Data`); otherwise the model is called as f(x, edge_index, ...), or, for graphs
    without features x, with the tensors that it has names for, as in f(z, pos, edge_index).
    """

    names: tuple[str, ...] = ()
    separates_inputs: bool = False
    as_data: Callable[..., Any] | None = None

    def key(self, x: Graph) -> Hashable:
        return tuple(sorted(x.nodes)), tuple(sorted(x.edges))

    def collate(self, batch: Sequence[Graph]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        sizes = [len(graph) for graph in batch]
        starts = torch.tensor([0, *sizes]).cumsum(0)
        x = torch.cat([graph.x for graph in batch])  # (N, F)
        edge_index = torch.cat([graph.edge_index + start for graph, start in zip(batch, starts[:-1].tolist(), strict=True)], 1)
        named: dict[str, Any] = {}
        for name in (*batch[0].nodes, *batch[0].edges):
            if name in self.names or self.as_data is not None:
                named[name] = torch.cat([{**graph.nodes, **graph.edges}[name] for graph in batch])
        if self.separates_inputs:
            named["batch"] = torch.repeat_interleave(torch.arange(len(batch)), torch.tensor(sizes))
        given = {"x": x, "edge_index": edge_index} if x.shape[1] or not batch[0].nodes else {"edge_index": edge_index}
        if self.as_data is not None:
            return (self.as_data(**given, **named),), {}
        if "x" not in given:
            return (), {name: tensor for name, tensor in {**given, **named}.items() if name in self.names}
        return (x, edge_index), named

    def split(self, y: Tensor, batch: Sequence[Graph]) -> list[Tensor]:
        y = y[:, None] if y.ndim == 1 else y.flatten(1)
        sizes = [len(graph) for graph in batch]
        if len(y) == sum(sizes):
            return list(torch.split(y, sizes))
        if len(y) == len(batch):
            return list(y.unbind())
        edges = sum(graph.edge_index.shape[1] for graph in batch)
        if len(y) == edges:
            raise ModelError(
                f"the model returned one row for each of {edges} edges, which cannot be judged: "
                "return a sum over the edges of each node or graph"
            )
        raise ModelError(
            f"the model returned {len(y)} rows for {len(batch)} graphs with {sum(sizes)} nodes instead of one row per node or "
            f"graph: choose a part of its output with {option('select')}"
        )

    def sites(self, y: Tensor) -> Tensor:
        return y if y.ndim == 2 else y.reshape(1, -1)


def adapter(function: Callable[..., Any]) -> Graphs:
    """f(x, edge_index, ...) or f(data), depending on the model's arguments."""
    names = argument_names(function)
    if "edge_index" in names or len(names) >= 2:
        return Graphs(names, "batch" in names)
    return Graphs(names, True, make_data)


def make_data(**tensors: Tensor) -> Any:
    """PyTorch Geometric's `Data` with these tensors. Raises ModelError if it is not installed."""
    try:
        from torch_geometric.data import Data
    except ImportError:
        raise ModelError(
            "a graph model with a single argument is called with torch_geometric's Data: pip install torch_geometric"
        ) from None
    return Data(**tensors)


def recognize(given: Any) -> list[Graph] | None:
    """A `Graph`, or any object with x and edge_index, with its tensors that have one row per node or edge.

    Without x, it must have atomic numbers z or coordinates pos; x then has no columns. Without edge_index, it has no edges.
    """
    if isinstance(given, Graph):
        return [given]
    if not hasattr(given, "edge_index") or not hasattr(given, "x"):
        return None
    x = features_of(given)
    edge_index = given.edge_index if given.edge_index is not None else torch.zeros(2, 0, dtype=torch.long)
    n, e = len(x), edge_index.shape[1]
    nodes, edges = {}, {}
    for name, value in (given.to_dict() if hasattr(given, "to_dict") else vars(given)).items():
        if name in ("x", "edge_index", "y", "batch", "ptr") or not isinstance(value, Tensor) or not value.ndim or "mask" in name:
            continue
        if len(value) == e and name.startswith("edge"):
            edges[name] = value
        elif len(value) == n:
            nodes[name] = value
    return [Graph(x, edge_index, nodes, edges)]


def features_of(data: Any) -> Tensor:
    """The features x (N, F), or (N, 0) for a graph that has z or pos alone. Raises ModelError if it has none of them."""
    for name in ("x", "z", "pos"):
        rows = getattr(data, name, None)
        if isinstance(rows, Tensor):
            return rows if name == "x" else torch.zeros(len(rows), 0)
    raise ModelError("a graph has no node features: set data.x, data.z or data.pos, with one row per node")


def fitted(domain: Domain, graphs: Sequence[Graph]) -> Domain:
    """The domain, with symmetries of coordinates among the defaults if graphs have coordinates."""
    if not any(dimension(graph) for graph in graphs):
        return domain
    return replace(
        domain, symmetries=tuple(replace(s, unasked=True) if isinstance(s, COORDINATES) else s for s in domain.symmetries)
    )


def read(tensors: Sequence[Tensor], vocabulary: int | None) -> list[Graph]:
    raise ModelError("graphs must be erlangen's Graph or torch_geometric's Data, not plain tensors")


def generate(shape: Sequence[int], vocabulary: int, rng: np.random.Generator) -> Graph:
    """N nodes with F normal features, and about 3N random undirected edges, each in both directions."""
    n, features = shape
    pairs = rng.integers(n, size=(3 * n, 2))
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)  # each undirected edge once
    edge_index = torch.from_numpy(np.concatenate([pairs, pairs[:, ::-1]]).T.copy())  # (2, E)
    return Graph(torch.from_numpy(rng.standard_normal((n, features))).float(), edge_index)


COORDINATES = (NodeRotation, NodeReflection, NodeTranslation)
DOMAIN = Domain(
    name="graphs",
    site="node",
    axes=("N", "F"),
    symmetries=(Relabeling(), EdgeOrder(), IsolatedNode(), DuplicateEdges(), *(kind() for kind in COORDINATES)),
    fitted=fitted,
    recognize=recognize,
    read=read,
    generate=generate,
    adapter=adapter,
    describe=lambda x: f"{len(x)} nodes and {x.edge_index.shape[1]} edges",
    pictures=lambda x, moved: tuple(f"{len(graph)} nodes, {graph.edge_index.shape[1]} edges" for graph in (x, moved)),
)
