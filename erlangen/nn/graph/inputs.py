"""What a layer takes as a graph, read into one form: edges (2, E) with sources in row 0, and the numbers of nodes at both ends.

edge_index     (2, E) int64 or int32, or PyG's `EdgeIndex`
adj_t          the transposed adjacency (N_dst, N_src) with an entry for each edge: torch's sparse COO, CSR or CSC, or a
               `torch_sparse.SparseTensor`
x              (N, F), or (x_src, x_dst) for edges between two sets of nodes, or (x_src, None) where no layer reads x_dst
size           (N_src, N_dst): needed where x_dst is None and edge_index does not tell
flow           "target_to_source" reads row 1 as the sources
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from erlangen.nn.graph.features import check_features
from erlangen.nn.graph.remember import remember, state, unchanged

Flow = Literal["source_to_target", "target_to_source"]
Nodes: TypeAlias = Tensor | tuple[Tensor, Tensor | None]
Size: TypeAlias = tuple[int | None, int | None]
_ENTRIES: Any = WeakTensorKeyDictionary()  # a sparse adjacency -> (the state of its indices, the edges that they are)


@dataclass(frozen=True, eq=False)
class Edges:
    """index (2, E) int64 with sources in row 0; value (E, ...), the entries of a sparse adjacency, or None."""

    index: Tensor
    value: Tensor | None
    sources: int
    targets: int
    sparse: bool = False


def both_ends(x: Nodes) -> tuple[Tensor, Tensor | None]:
    """The features of the sources and of the targets, which are the same tensor if there is only one set of nodes."""
    return (x[0], x[1]) if isinstance(x, (tuple, list)) else (x, x)


def read_edges(x: Nodes, graph: Any, size: Size | None = None, flow: Flow = "source_to_target", static: bool = False) -> Edges:
    """The edges of `graph` between the nodes of x. Raises ValueError for features, edges or a size that do not fit.

    static: whether features of many graphs with the same edges, (B, N, F), are allowed.
    """
    source, target = both_ends(x)
    index, value, stated, sparse = read_graph(graph, flow)
    check_features(source, static=static, graph=index)
    if target is not None and target is not source:
        check_features(target, "x of the targets", static=static, graph=index)
    sources = source.shape[-2]
    targets = number_of_targets(sources, target, size, stated)
    for name, given in (("size", size), ("the adjacency", stated)):
        if given is not None and any(a is not None and a != b for a, b in zip(given, (sources, targets), strict=True)):
            raise ValueError(
                f"{name} says {given[0]} sources and {given[1]} targets, but x has {sources} and {targets}: a sparse adjacency "
                f"is passed transposed, with a row for each target"
            )
    return Edges(index, value, sources, targets, sparse)


def number_of_targets(sources: int, target: Tensor | None, size: Size | None, stated: Size | None) -> int:
    """As many as there are features; without any, what `size` or the adjacency says, or as many as there are sources."""
    if target is not None:
        return target.shape[-2]
    counts = [given[1] for given in (size, stated) if given is not None and given[1] is not None]
    return counts[0] if counts else sources


class Graph(NamedTuple):
    """The edges (2, E), the entries of a sparse adjacency, the (N_src, N_dst) that it states, and whether it is sparse."""

    edges: Tensor
    value: Tensor | None
    stated: Size | None
    sparse: bool


def read_graph(graph: Any, flow: Flow = "source_to_target") -> Graph:
    """The edges of an edge_index or of a transposed sparse adjacency. Raises ValueError for another layout than COO, CSR, CSC."""
    if hasattr(graph, "sparse_sizes") and hasattr(graph, "coo"):  # torch_sparse.SparseTensor
        row, col, value = graph.coo()
        return Graph(torch.stack([col, row]), value, (graph.sparse_sizes()[1], graph.sparse_sizes()[0]), True)
    if isinstance(graph, Tensor) and graph.layout != torch.strided:
        if flow == "target_to_source":
            raise ValueError("flow='target_to_source' needs an edge_index: a sparse adjacency says which ends are the targets")
        return Graph(*entries(graph), (graph.shape[1], graph.shape[0]), True)
    stated: Size | None = None
    index: Tensor = graph
    if hasattr(graph, "as_tensor"):  # PyG's EdgeIndex
        index, stated = graph.as_tensor(), graph.sparse_size()
    if index.dtype == torch.int32:
        index = remember(index, "int64", index.long)
    if flow == "target_to_source":
        index, stated = remember(index, "flow", lambda: index.flip(0)), None if stated is None else (stated[1], stated[0])
    return Graph(index, None, stated, False)


def entries(adj_t: Tensor) -> tuple[Tensor, Tensor]:
    """The edges (2, E) of a transposed sparse adjacency, sources in row 0, and its entries (E, ...)."""
    if adj_t.layout == torch.sparse_coo:
        adj_t = adj_t.coalesce()
        parts: tuple[Tensor, ...] = (adj_t.indices(),)
    elif adj_t.layout == torch.sparse_csr:
        parts = (adj_t.crow_indices(), adj_t.col_indices())
    elif adj_t.layout == torch.sparse_csc:
        parts = (adj_t.row_indices(), adj_t.ccol_indices())
    else:
        raise ValueError(f"a sparse adjacency must be COO, CSR or CSC, not {adj_t.layout}: convert it with .to_sparse_csr()")
    known = _ENTRIES.get(adj_t)
    if known is None or not unchanged(known[0], parts):
        known = (state(parts), edges_of(parts, adj_t))
        _ENTRIES[adj_t] = known
    index: Tensor = known[1]
    return index, adj_t.values()


def edges_of(parts: tuple[Tensor, ...], adj_t: Tensor) -> Tensor:
    """(2, E) int64 from the indices of a sparse tensor: of both axes, or compressed along one of them."""
    if len(parts) == 1:
        return parts[0].flip(0).long()
    pointers, others = (parts[0], parts[1]) if adj_t.layout == torch.sparse_csr else (parts[1], parts[0])
    lines = torch.arange(len(pointers) - 1, device=others.device).repeat_interleave(pointers.diff(), output_size=len(others))
    pair = (others, lines) if adj_t.layout == torch.sparse_csr else (lines, others)
    return torch.stack([part.long() for part in pair])
