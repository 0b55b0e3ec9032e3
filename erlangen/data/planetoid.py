"""Citation graphs from the Planetoid files: Cora, CiteSeer and PubMed, as PyG keeps them in `<Name>/raw/ind.<name>.*`.

Seven of the eight files are pickles. Reading a pickle can run any code, so this reader imports and calls nothing that a file
names. The few names that real files use become inert records, which are then checked and converted to arrays.

Source: Yang, Cohen & Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016; Cora: McCallum et al.
2000, Sen et al. 2008. The files are not part of this package: https://github.com/kimiyoung/planetoid (no license stated).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from erlangen.data.files import folder as folder_of
from erlangen.data.graphs import Graph
from erlangen.errors import DamagedFileError, ErlangenError

PICKLED = ("x", "tx", "allx", "y", "ty", "ally", "graph")
VALIDATION, LARGEST = 500, 10**8  # nodes; entries of a feature matrix

SHA256 = {
    "cora": {
        "x": "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
        "tx": "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
        "allx": "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
        "y": "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
        "ty": "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
        "ally": "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
        "graph": "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
        "test.index": "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
    }
}
"""SHA-256 of each published file. A data set without an entry is read without this check."""

URL = "https://github.com/kimiyoung/planetoid/raw/master/data/"


class _Record:
    """An object that a pickle asks for: its name, arguments and state, without building it."""

    name = ""

    def __new__(cls, *args: Any) -> _Record:
        record = super().__new__(cls)
        record.args, record.state = args, None
        return record

    def __init__(self, *args: Any) -> None:
        self.args: tuple[Any, ...]
        self.state: Any

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dict(dict[Any, Any]):
    """A replacement for defaultdict that ignores the factory."""

    def __init__(self, *factory: Any) -> None:
        super().__init__()


ALLOWED = {
    (module, name)
    for modules, names in (
        (("numpy",), ("ndarray", "dtype")),
        (("numpy.core.multiarray", "numpy._core.multiarray"), ("_reconstruct",)),
        (("scipy.sparse.csr", "scipy.sparse._csr"), ("csr_matrix",)),
        (("collections",), ("defaultdict",)),
        (("__builtin__", "builtins"), ("list", "int")),
        (("_codecs",), ("encode",)),  # how Python 3 writes bytes in old protocols
    )
    for module in modules
    for name in names
}


class _Inert(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no Planetoid file needs; nothing was executed")
        # A new class for every mention, so that what a pickle does to a class affects nothing else.
        return type(name, (_Dict,), {}) if name == "defaultdict" else type(name, (_Record,), {"name": name})


def _array(value: Any) -> np.ndarray:
    """The numeric array that a record describes."""
    if not (isinstance(value, _Record) and value.name == "_reconstruct"):
        raise ValueError(f"it holds {_kind(value)} instead of an array")
    _, shape, dtype, fortran, raw = value.state
    if not (isinstance(dtype, _Record) and dtype.name == "dtype" and re.fullmatch(r"[<>|=]?[biuf][1248]", str(dtype.args[0]))):
        raise ValueError("an array holds something other than numbers")
    if isinstance(raw, _Record):
        raw = raw.args[0]
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    order = dtype.state[1] if dtype.state[1] in ("<", ">") else "="
    flat = np.frombuffer(raw, np.dtype(dtype.args[0]).newbyteorder(order))
    array = flat.reshape(shape, order="F" if fortran else "C")
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)


def _matrix(value: Any) -> np.ndarray:
    """The dense matrix (N, F) float32 that a record of an array or of a csr_matrix describes."""
    if not (isinstance(value, _Record) and value.name == "csr_matrix"):
        matrix = _array(value)
    else:
        parts = value.state
        rows, cols = parts["_shape"]
        rowptr, col, data = (_array(parts[name]) for name in ("indptr", "indices", "data"))
        sound = (
            len(rowptr) == rows + 1 and rowptr[0] == 0 and (np.diff(rowptr) >= 0).all() and rowptr[-1] == len(col) == len(data)
        )
        if not sound or rows * cols > LARGEST or (len(col) and (col.min() < 0 or col.max() >= cols)):
            raise ValueError("the parts of a sparse matrix do not fit together")
        matrix = sparse.csr_array((data, col, rowptr), shape=(rows, cols)).toarray()
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError(f"an array of shape {matrix.shape} is not a matrix of finite numbers")
    return matrix.astype(np.float32)


def _neighbors(value: Any) -> np.ndarray:
    """{node: [neighbors]} -> edges (2, E), ordered by target, then source, without self-loops and multi-edges."""
    if not isinstance(value, dict) or not all(isinstance(near, list) for near in value.values()):
        raise ValueError(f"it holds {_kind(value)} instead of a dict of lists")
    pairs = [(v, u) for u, near in value.items() for v in near]
    if not all(type(node) is int for pair in pairs for node in pair):
        raise ValueError("some nodes are not integers")
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0).T[::-1]


def _kind(value: Any) -> str:
    return value.name if isinstance(value, _Record) else type(value).__name__


def _read(path: Path, expected: str | None) -> Any:
    """The content of a file as an array. Raises ErlangenError if it is missing, altered, damaged or asks for anything unusual."""
    part = path.name.split(".", 2)[2]
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ErlangenError(f"{path}: {error.strerror}: give the folder that has the eight files ind.<name>.*") from error
    if expected is not None and hashlib.sha256(raw).hexdigest() != expected:
        raise DamagedFileError(f"{path}: this is not the published file (its SHA-256 differs): download it again")
    try:
        if part == "test.index":
            return np.array(raw.decode("ascii").split(), dtype=np.int64)
        value = _Inert(io.BytesIO(raw), encoding="latin1").load()
        return _neighbors(value) if part == "graph" else _matrix(value)
    except Exception as error:  # a damaged pickle can fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedFileError(f"{path} cannot be read as a Planetoid file: {reason}: download it again") from error


def cora_folder() -> Path:
    """The folder of Cora's files: $ERLANGEN_DATA/planetoid/Cora/raw, or a download. Raises DataError if neither is available."""
    return folder_of("planetoid/Cora/raw", {f"ind.cora.{part}": digest for part, digest in SHA256["cora"].items()}, URL)


@cache
def cora() -> Graph:
    """Cora with its public split. Each row of x, the words of a paper, is divided by its sum. Raises DataError."""
    graph = planetoid(cora_folder())
    return replace(graph, x=graph.x / graph.x.sum(1, keepdim=True).clamp(min=1))


def planetoid(folder: Path, name: str = "cora", *, verify: bool = True) -> Graph:
    """The citation graph in `folder`, e.g. Cora/raw, with the public split: 20 nodes per class, 500 for validation, 1000 to test.

    x (N, F) float32 as stored (which words occur, not normalized); y (N,); edges in both directions, without self-loops and
    multi-edges. The test rows, stored in the order of test.index, are moved to their nodes; nodes that no file describes
    (CiteSeer has 15) get zeros. Cora: 2708 nodes, 1433 features, 7 classes, 10556 directed edges. verify: compare the files with
    SHA256, if it has the data set.
    Raises ErlangenError for files that are missing, damaged, altered or malicious; nothing in them is executed.
    """
    known = SHA256.get(name, {}) if verify else {}
    parts = {part: _read(folder / f"ind.{name}.{part}", known.get(part)) for part in (*PICKLED, "test.index")}
    try:
        return _assemble(parts)
    except (ValueError, IndexError) as error:
        raise DamagedFileError(f"{folder}: the files of {name} do not fit together: {error}: download them again") from error


def _assemble(parts: dict[str, np.ndarray]) -> Graph:
    test, known = parts["test.index"], len(parts["allx"])
    if not len(test) or len(test) != len(parts["tx"]) or len(np.unique(test)) != len(test) or test.min() < known:
        raise ValueError(f"there are {len(test)} test nodes for {len(parts['tx'])} rows of features, after {known} other nodes")
    n, train = int(test.max()) + 1, len(parts["y"])
    if n > known + 10 * len(test) or len(parts["ally"]) != known or len(parts["ty"]) != len(test) or train + VALIDATION > known:
        raise ValueError("their numbers of nodes differ")
    x = np.zeros((n, parts["allx"].shape[1]), dtype=np.float32)
    one_hot = np.zeros((n, parts["ally"].shape[1]), dtype=np.float32)
    x[:known], x[test] = parts["allx"], parts["tx"]
    one_hot[:known], one_hot[test] = parts["ally"], parts["ty"]
    edges = parts["graph"]
    if edges.size and (edges.min() < 0 or edges.max() >= n):
        raise ValueError(f"an edge names node {int(edges.max())}, but there are {n} nodes, counted from 0")
    masks = [_mask(n, where) for where in (np.arange(train), np.arange(train, train + VALIDATION), test)]
    return Graph(
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(np.ascontiguousarray(edges)),
        y=torch.from_numpy(one_hot.argmax(1)),
        train_mask=masks[0],
        validation_mask=masks[1],
        test_mask=masks[2],
    )


def _mask(n: int, nodes: np.ndarray) -> Tensor:
    mask = torch.zeros(n, dtype=torch.bool)
    mask[torch.from_numpy(nodes)] = True
    return mask
