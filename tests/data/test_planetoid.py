"""Cora as it lies on disk against PyG's own reader, and files that are damaged or mean harm."""

import collections
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from erlangen.data.planetoid import planetoid
from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.nn.graph.algebra import is_symmetric, isolated_nodes, multi_edges, self_loops

RAW = Path(__file__).parents[3] / "shared" / "data" / "planetoid" / "Cora" / "raw"


@pytest.fixture
def cora() -> Path:
    if not RAW.is_dir():
        pytest.skip(f"{RAW} is missing")
    return RAW


def test_cora_has_its_published_sizes(cora: Path) -> None:
    graph = planetoid(cora)
    assert graph.x.shape == (2708, 1433)
    assert graph.edge_index.shape == (2, 10556)
    assert (graph.train_mask.sum(), graph.validation_mask.sum(), graph.test_mask.sum()) == (140, 500, 1000)
    assert torch.bincount(graph.y).tolist() == [351, 217, 418, 818, 426, 298, 180]
    assert torch.bincount(graph.y[graph.train_mask]).tolist() == [20] * 7
    assert is_symmetric(graph.edge_index, 2708)
    assert not self_loops(graph.edge_index).any()
    assert not multi_edges(graph.edge_index).any()
    assert not isolated_nodes(graph.edge_index, 2708).any()
    assert graph.x.dtype == torch.float32
    assert set(graph.x.unique().tolist()) == {0, 1}


def test_cora_is_what_pyg_reads(cora: Path) -> None:
    reader = pytest.importorskip("torch_geometric.io", reason="torch_geometric is not installed")
    ours, theirs = planetoid(cora), reader.read_planetoid_data(str(cora), "cora")
    assert torch.equal(ours.x, theirs.x)
    assert torch.equal(ours.y, theirs.y)
    assert torch.equal(ours.edge_index, theirs.edge_index)
    for mask, other in (("train_mask", "train_mask"), ("validation_mask", "val_mask"), ("test_mask", "test_mask")):
        assert torch.equal(getattr(ours, mask), getattr(theirs, other))


def test_neighbors_agree_where_the_test_order_is_repaired(cora: Path) -> None:
    """Citations mostly stay in one field. Rows left in the order of the file lose that, at test nodes alone."""
    graph = planetoid(cora)
    source, target = graph.edge_index
    at_test = graph.test_mask[target]
    assert (graph.y[source] == graph.y[target])[at_test].float().mean() > 0.75


def write(folder: Path, name: str = "tiny", protocol: int = 2) -> dict[str, object]:
    """600 nodes, the last test node but one described by no file, as CiteSeer has it."""
    rng = np.random.default_rng(0)
    x, y = (rng.random((600, 5)) < 0.5).astype(np.float32), np.eye(3, dtype=np.int32)[rng.integers(0, 3, 600)]
    test = np.array([597, 596, 599])
    graph = collections.defaultdict(list, {u: [(u + 1) % 596, (u - 1) % 596] for u in range(596)} | {597: [597, 0, 0], 598: []})
    parts = {"x": x[:40], "allx": x[:596], "tx": x[test]}
    parts = {part: sparse.csr_matrix(rows) for part, rows in parts.items()}
    parts |= {"y": y[:40], "ally": y[:596], "ty": y[test], "graph": graph}
    for part, value in parts.items():
        (folder / f"ind.{name}.{part}").write_bytes(pickle.dumps(value, protocol=protocol))
    (folder / f"ind.{name}.test.index").write_text("".join(f"{node}\n" for node in test))
    return {"x": x, "y": y, "test": test}


@pytest.mark.parametrize("protocol", [2, 4])
def test_missing_test_nodes_get_zeros_and_loops_and_doubles_go(tmp_path: Path, protocol: int) -> None:
    made = write(tmp_path, protocol=protocol)
    graph = planetoid(tmp_path, "tiny")
    expected = torch.from_numpy(made["x"].copy())
    expected[598] = 0
    assert torch.equal(graph.x, expected)
    kept = [v for v in range(600) if v != 598]
    assert torch.equal(graph.y[kept], torch.from_numpy(made["y"].argmax(1))[kept])
    assert graph.test_mask.nonzero().flatten().tolist() == [596, 597, 599]
    assert (graph.train_mask.sum(), graph.validation_mask.sum()) == (40, 500)
    assert graph.edge_index[:, graph.edge_index[0] == 597].T.tolist() == [[597, 0]]


class Runs:
    """What a malicious pickle holds: reading it calls `function`."""

    def __init__(self, function, *args) -> None:
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("part", ["x", "tx", "allx", "y", "ty", "ally", "graph"])
@pytest.mark.parametrize("attack", ["os.system", "eval", "open", "method", "state"])
def test_a_malicious_pickle_executes_nothing(tmp_path: Path, part: str, attack: str) -> None:
    write(tmp_path)
    trace = tmp_path / "executed"
    touch = f"open({str(trace)!r}, 'w')"
    evil = {
        "os.system": lambda: Runs(os.system, f"touch {trace}"),
        "eval": lambda: Runs(eval, touch),
        "open": lambda: Runs(open, str(trace), "w"),
        "method": lambda: collections.defaultdict(list, {0: [Runs(os.mkdir, str(trace))]}),
        "state": lambda: [np.zeros(3), Runs(exec, touch)],
    }[attack]()
    raw = pickle.dumps(evil, protocol=2)
    (tmp_path / f"ind.tiny.{part}").write_bytes(raw)
    with pytest.raises(ErlangenError, match=rf"ind\.tiny\.{part} cannot be read .*nothing was executed") as error:
        planetoid(tmp_path, "tiny")
    assert "\n" not in str(error.value)
    assert not trace.exists()
    pickle.loads(raw)  # it was armed: read as pickles are read, it strikes
    assert trace.exists()


def test_a_changed_file_of_cora_is_refused_by_its_hash(cora: Path, tmp_path: Path) -> None:
    shutil.copytree(cora, tmp_path / "raw")
    path = tmp_path / "raw" / "ind.cora.test.index"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("2692\n", "", 1) + "2692\n")
    with pytest.raises(DamagedFileError, match=r"ind\.cora\.test\.index: this is not the published file"):
        planetoid(tmp_path / "raw")
    assert not torch.equal(planetoid(tmp_path / "raw", verify=False).x, planetoid(cora).x)


@pytest.mark.parametrize("part", ["x", "tx", "allx", "y", "ty", "ally", "graph", "test.index"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "noise", "other", "missing"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, part: str, damage: str) -> None:
    write(tmp_path)
    path = tmp_path / f"ind.tiny.{part}"
    raw = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        other = pickle.dumps({"a": 1}, protocol=2) if part != "graph" else pickle.dumps([1, 2], protocol=2)
        damaged = {"truncated": raw[: len(raw) // 2], "empty": b"", "noise": bytes(range(256)), "other": other}
        path.write_bytes(damaged[damage])
    with pytest.raises(ErlangenError, match="tiny") as error:
        planetoid(tmp_path, "tiny")
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_sparse_parts_that_would_reach_outside_are_refused(tmp_path: Path) -> None:
    """SciPy trusts its indices: unchecked, these would write outside the array."""
    write(tmp_path)
    matrix = sparse.csr_matrix(np.ones((3, 5), dtype=np.float32))
    matrix.indices[0] = 10**6
    (tmp_path / "ind.tiny.tx").write_bytes(pickle.dumps(matrix, protocol=2))
    with pytest.raises(DamagedFileError, match="do not fit together"):
        planetoid(tmp_path, "tiny")


def test_every_byte_flipped_is_an_error_or_a_graph_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "ind.tiny.tx"
    raw = path.read_bytes()
    for place in range(0, len(raw), 3):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0x15]) + raw[place + 1 :])
        try:
            assert planetoid(tmp_path, "tiny").num_nodes == 600
        except ErlangenError:
            continue
