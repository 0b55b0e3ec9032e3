"""A graph of the user's from a file: a PyG `Data` that torch.save wrote, or its tensors as arrays of an .npz.

A pickle can run any program when it is read. Nothing here executes one: a .pt file may name tensors, plain containers and the
classes of PyG's own `Data`, an .npz may hold numbers. What they hold is then checked: an undirected graph with features, one
class per node, and three masks.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.data.files import DataError
from erlangen.data.graphs import Graph
from erlangen.data.planetoid import cora

MASKS = ("train_mask", "val_mask", "test_mask")
FIELDS = ("x", "edge_index", "y", *MASKS)


@cache
def named_graph(name: str, digest: str) -> Graph:
    """Cora, or the graph in a file whose SHA-256 begins with `digest`. Raises DataError."""
    return cora() if name == "cora" else read_graph(name, digest)


def read_graph(path: str, digest: str = "") -> Graph:
    """The graph in a file: x (N, F) float32, edge_index (2, E), y (N,), masks (N,) as in PyG, `val_mask` as validation_mask.

    digest: the first hex digits of its SHA-256, where the caller knows them. Raises DataError, in one line that says what to do,
    for a file that is missing, has changed, cannot be read safely, or does not hold a graph to classify nodes in.
    """
    try:
        content = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: name a graph's .pt or .npz file") from None
    if not hashlib.sha256(content).hexdigest().startswith(digest):
        raise DataError(f"{path}: the file has changed since this run began: run the same command again")
    try:
        fields = read_npz(content) if path.endswith(".npz") else read_torch(content)
        return graph_of(fields)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def read_npz(content: bytes) -> dict[str, Any]:
    """Field -> tensor, of an .npz. Raises ValueError where it cannot be read without executing something."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: torch.from_numpy(archive[name]) for name in FIELDS if name in archive}
    except Exception:  # a damaged or hostile file can fail in any way
        raise ValueError("not an .npz file of numbers: write it with numpy.savez(path, x=x, y=y, ...)") from None


def read_torch(content: bytes) -> dict[str, Any]:
    """Field -> what a .pt file has under it. Raises ValueError where it cannot be read without executing something."""
    try:
        with torch.serialization.safe_globals(pyg_classes()), warnings.catch_warnings(action="ignore"):
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if type(loaded).__name__ == "Data":
            return {name: getattr(loaded, name, None) for name in FIELDS}
    except Exception as error:  # as above
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        why = f" (it names {named[1]}, which was not executed)" if named else ""
        remedy = "save a torch_geometric.data.Data"
        if named and named[1].startswith("torch_geometric.data.data.Data") and not pyg_classes():
            why, remedy = "", "pip install torch_geometric to read one of PyG, or write its tensors with numpy.savez"
        raise ValueError(f"not a graph that can be read{why}: {remedy}") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"it holds a {type(loaded).__name__}, not a graph: save one Data, as in torch.save(dataset[0], path)")
    return {name: loaded.get(name) for name in FIELDS}


def pyg_classes() -> list[Any]:
    """The classes that a pickled `Data` names, which only hold what they are given; none where PyG is not installed."""
    try:
        from torch_geometric.data.data import Data, DataEdgeAttr, DataTensorAttr
        from torch_geometric.data.storage import GlobalStorage
    except ImportError:
        return []
    return [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage]


def graph_of(fields: Mapping[str, Any]) -> Graph:
    """The graph that the fields make. Raises ValueError that says which of them does not fit, and what to do."""
    if missing := [name for name in FIELDS if fields.get(name) is None]:
        masks = "; torch_geometric.transforms.RandomNodeSplit() adds masks" if set(missing) & set(MASKS) else ""
        raise ValueError(f"no {', '.join(missing)}: a graph needs {', '.join(FIELDS)}{masks}")
    for name in FIELDS:
        if not isinstance(fields[name], Tensor) or fields[name].layout != torch.strided:
            raise ValueError(f"{name} is not a dense tensor: store it as one, as in data.{name} = data.{name}.to_dense()")
    x, y, edge_index = (fields[name].detach() for name in ("x", "y", "edge_index"))
    n = len(x) if x.ndim else 0
    if x.ndim != 2 or not x.numel() or x.is_complex() or not x.float().isfinite().all():
        raise ValueError(f"x has shape {tuple(x.shape)}: it must be a matrix (nodes, features) of finite numbers")
    if y.shape != (n,) or not whole(y):
        raise ValueError(f"y must hold one class per node, {n} integers; it is {y.dtype} of shape {tuple(y.shape)}")
    if y.min() < 0:
        raise ValueError(f"y holds {int(y.min())}: number the classes from 0 on, and leave out nodes without a class")
    check_masks({name: fields[name] for name in MASKS}, y)
    check_edges(edge_index, n)
    return Graph(
        x=x.float().contiguous(), edge_index=edge_index.long().contiguous(), y=y.long(), train_mask=fields["train_mask"],
        validation_mask=fields["val_mask"], test_mask=fields["test_mask"],
    )  # fmt: skip


def check_masks(masks: Mapping[str, Tensor], y: Tensor) -> None:
    """Raises ValueError unless each mask is (N,) bool, none is empty, no two overlap, and training sees two classes."""
    for name, mask in masks.items():
        if mask.ndim == 2:
            raise ValueError(f"{name} holds {mask.shape[1]} splits: choose one, as in data.{name} = data.{name}[:, 0]")
        if mask.dtype != torch.bool or mask.shape != y.shape or not mask.any():
            raise ValueError(f"{name} must be boolean, one entry per node, at least one of them true")
    for name, other in ((MASKS[0], MASKS[1]), (MASKS[0], MASKS[2]), (MASKS[1], MASKS[2])):
        if common := int((masks[name] & masks[other]).sum()):
            raise ValueError(f"{name} and {other} share {common} nodes: each node belongs to one of them at most")
    if torch.unique(y[masks["train_mask"]]).numel() < 2:
        raise ValueError("all nodes of train_mask have the same class: include two classes or more")


def check_edges(edge_index: Tensor, n: int) -> None:
    """Raises ValueError unless each edge (u, v), u ≠ v, is there exactly once both ways."""
    if edge_index.ndim != 2 or len(edge_index) != 2 or not whole(edge_index) or not edge_index.numel():
        raise ValueError(f"edge_index has shape {tuple(edge_index.shape)}: it must be (2, edges) integers, at least one edge")
    if edge_index.min() < 0 or edge_index.max() >= n:
        raise ValueError(f"edge_index names node {int(edge_index.max())}, but the {n} nodes count from 0")
    source, target = edge_index.long()
    if (source == target).any():
        raise ValueError("edge_index has self-loops: torch_geometric.utils.remove_self_loops removes them")
    forth, back = (source * n + target).sort().values, (target * n + source).sort().values
    if torch.unique(forth).numel() < forth.numel():
        raise ValueError("edge_index repeats edges: torch_geometric.utils.coalesce merges them")
    if not torch.equal(forth, back):
        raise ValueError("the graph is directed: torch_geometric.utils.to_undirected adds each edge's other direction")


def whole(values: Tensor) -> bool:
    """Whether a tensor holds integers, by its type."""
    return not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)
