"""Graphs of the user's: files as PyG and NumPy write them, files that do not fit, and files that mean harm."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from erlangen.data import graph_file
from erlangen.data.files import DataError
from erlangen.data.graph_file import FIELDS, named_graph, read_graph


def fields() -> dict[str, torch.Tensor]:
    """A path of six nodes, two for each mask."""
    path = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    masks = {name: torch.arange(6) // 2 == place for place, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    x = torch.arange(18, dtype=torch.float32).reshape(6, 3)
    return {"x": x, "edge_index": torch.cat([path, path.flip(0)], dim=1), "y": torch.tensor([0, 1, 0, 1, 2, 2]), **masks}


def saved(folder: Path, kind: str, **changes: Any) -> str:
    """The file of the fields with these changes; None leaves a field out."""
    content = {name: value for name, value in {**fields(), **changes}.items() if value is not None}
    path = folder / ("graph.npz" if kind == "npz" else "graph.pt")
    if kind == "npz":
        np.savez(path, **{name: np.asarray(value) for name, value in content.items()})
    elif kind == "dict":
        torch.save(content, path)
    else:
        pyg = pytest.importorskip("torch_geometric.data", reason="torch_geometric is not installed")
        torch.save(pyg.Data(**content), path)
    return str(path)


def message(path: str) -> str:
    """The one line that is said of a file that cannot be used."""
    with pytest.raises(DataError) as caught:
        read_graph(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    return str(caught.value)


@pytest.mark.parametrize("kind", ["pyg", "dict", "npz"])
def test_a_graph_comes_back_as_it_was_saved(tmp_path: Path, kind: str):
    graph = read_graph(saved(tmp_path, kind))
    for name, value in fields().items():
        mine = getattr(graph, "validation_mask" if name == "val_mask" else name)
        assert torch.equal(mine, value)
        assert mine.dtype == value.dtype


def test_other_number_types_become_those_of_a_graph(tmp_path: Path):
    given = fields()
    graph = read_graph(saved(tmp_path, "npz", x=given["x"].double(), y=given["y"].int(), edge_index=given["edge_index"].int()))
    assert (graph.x.dtype, graph.y.dtype, graph.edge_index.dtype) == (torch.float32, torch.int64, torch.int64)


def test_what_else_a_pyg_graph_holds_is_left_alone(tmp_path: Path):
    assert read_graph(saved(tmp_path, "pyg", edge_attr=torch.ones(10, 2), name="mine", ids=["a", "b"])).num_nodes == 6


Y, X, EDGES, TRAIN = (fields()[name] for name in ("y", "x", "edge_index", "train_mask"))

MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"y": None}, r"no y: a graph needs x, edge_index, y, train_mask, val_mask, test_mask$"),
    ({"edge_index": None}, r"no edge_index: "),
    ({"val_mask": None, "test_mask": None}, r"no val_mask, test_mask: .*RandomNodeSplit\(\) adds masks"),
    ({"x": X[:, 0]}, r"x has shape \(6,\): it must be a matrix \(nodes, features\) of finite numbers"),
    ({"x": X / 0}, r"x has shape \(6, 3\): .* finite numbers"),
    ({"y": Y.float()}, r"y must hold one class per node, 6 integers; it is torch\.float32"),
    ({"y": Y[:, None]}, r"one class per node.*shape \(6, 1\)"),
    ({"y": Y - 1}, r"y holds -1: number the classes from 0 on"),
    ({"y": Y * 0}, r"all nodes of train_mask have the same class"),
    ({"train_mask": TRAIN[:, None].expand(6, 10)}, r"train_mask holds 10 splits: choose one, as in .*\[:, 0\]"),
    ({"train_mask": TRAIN.long()}, r"train_mask must be boolean"),
    ({"train_mask": TRAIN[:5]}, r"train_mask must be boolean, one entry per node"),
    ({"test_mask": TRAIN & False}, r"test_mask must .* at least one of them true"),
    ({"test_mask": TRAIN}, r"train_mask and test_mask share 2 nodes"),
    ({"edge_index": EDGES[:, :5]}, r"the graph is directed: torch_geometric\.utils\.to_undirected"),
    ({"edge_index": EDGES.T}, r"edge_index has shape \(10, 2\): it must be \(2, edges\)"),
    ({"edge_index": EDGES[:, :0]}, r"at least one edge"),
    ({"edge_index": EDGES + 1}, r"edge_index names node 6, but the 6 nodes count from 0"),
    ({"edge_index": torch.cat([EDGES, EDGES], dim=1)}, r"edge_index repeats edges: torch_geometric\.utils\.coalesce"),
    ({"edge_index": torch.cat([EDGES, torch.tensor([[2], [2]])], dim=1)}, r"edge_index has self-loops: .*remove_self_loops"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["pyg", "npz"])
@pytest.mark.parametrize(("changes", "words"), MISFITS)
def test_what_does_not_fit_is_named_with_what_to_do(tmp_path: Path, kind: str, changes: dict[str, Any], words: str):
    with pytest.raises(DataError, match=words):
        read_graph(saved(tmp_path, kind, **changes))
    message(saved(tmp_path, kind, **changes))


def test_a_sparse_or_listed_field_is_not_a_dense_tensor(tmp_path: Path):
    assert "x is not a dense tensor: store it as one" in message(saved(tmp_path, "pyg", x=X.to_sparse()))
    assert "y is not a dense tensor" in message(saved(tmp_path, "dict", y=[0, 1]))


def test_files_that_are_not_there_or_not_graphs(tmp_path: Path):
    assert message(str(tmp_path / "none.pt")).endswith("No such file or directory: name a graph's .pt or .npz file")
    assert "Is a directory" in message(str(tmp_path))
    for name, content in (("empty.pt", b""), ("text.pt", b"hello"), ("empty.npz", b""), ("text.npz", b"hello")):
        (tmp_path / name).write_bytes(content)
        assert "not a" in message(str(tmp_path / name))
    whole = Path(saved(tmp_path, "dict")).read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    assert "not a graph that can be read" in message(str(tmp_path / "half.pt"))
    torch.save((X, Y), tmp_path / "pair.pt")
    assert "it holds a tuple, not a graph: save one Data, as in torch.save(dataset[0], path)" in message(
        str(tmp_path / "pair.pt")
    )
    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "weights.pt")
    assert "not a graph" in message(str(tmp_path / "weights.pt")) or "no x, " in message(str(tmp_path / "weights.pt"))


def test_a_heterogeneous_graph_is_refused(tmp_path: Path):
    pyg = pytest.importorskip("torch_geometric.data", reason="torch_geometric is not installed")
    data = pyg.HeteroData()
    data["paper"].x = X
    torch.save(data, tmp_path / "hetero.pt")
    assert "save a torch_geometric.data.Data" in message(str(tmp_path / "hetero.pt"))


class Harm:
    """What a pickle does when it is loaded as pickles are."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("how", ["field", "whole", "legacy", "npz"])
def test_nothing_in_a_file_is_executed(tmp_path: Path, how: str):
    harm, path = Harm(tmp_path / "harm"), tmp_path / ("bad.npz" if how == "npz" else "bad.pt")
    if how == "npz":
        np.savez(path, **{**{name: np.asarray(value) for name, value in fields().items()}, "y": np.array([harm], dtype=object)})
    elif how == "legacy":
        path.write_bytes(pickle.dumps(harm))
    else:
        torch.save(harm if how == "whole" else {**fields(), "y": harm}, path)
    said = message(str(path))
    assert not (tmp_path / "harm").exists()
    assert ("posix.mkdir, which was not executed" if how in ("field", "whole") else "not a") in said


def test_without_pyg_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path, "pyg")
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()  # PyG adds its classes once it is imported
    monkeypatch.setattr(graph_file, "pyg_classes", list)
    try:
        assert "pip install torch_geometric to read one of PyG, or write its tensors with numpy.savez" in message(path)
    finally:
        torch.serialization.add_safe_globals(allowed)
    assert read_graph(saved(tmp_path, "npz")).num_nodes == 6


def test_a_file_that_changed_is_not_taken_for_the_one_that_was_planned(tmp_path: Path):
    path = saved(tmp_path, "npz")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    assert named_graph(path, digest).num_nodes == 6
    saved(tmp_path, "npz", x=X + 1)
    assert named_graph(path, digest) is named_graph(path, digest)  # read once in a process
    with pytest.raises(DataError, match="the file has changed since this run began: run the same command again"):
        read_graph(path, digest)


def test_the_fields_are_those_of_pyg():
    assert FIELDS == ("x", "edge_index", "y", "train_mask", "val_mask", "test_mask")
