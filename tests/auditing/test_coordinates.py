"""Graphs with coordinates: rotation, mirror and translation of `pos`; graphs without features x; scalars and vectors out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.records import graph, noise
from torch import Tensor

import erlangen
from erlangen.auditing.calling import ModelError
from erlangen.auditing.domain import load_domain
from erlangen.auditing.inputs import read_inputs
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.node_reflection import NodeReflection
from erlangen.symmetries.node_rotation import NodeRotation
from erlangen.symmetries.node_translation import NodeTranslation
from erlangen.testing import check_symmetry

NODE = ("node-rotation", "node-reflection", "node-translation")
VECTORS = (NodeRotation("vectors"), NodeReflection("vectors"))


def molecule(n: int = 6, salt: int = 0) -> SimpleNamespace:
    """Atomic numbers and coordinates, as PyTorch Geometric's Data has them: x is None."""
    z = torch.randint(1, 5, (n,), generator=torch.Generator().manual_seed(salt))
    index = torch.tensor([[i, j] for i in range(n) for j in range(n) if i != j]).T
    return SimpleNamespace(x=None, z=z, pos=noise(n, 3, salt=salt), edge_index=index)


MOLECULES = [molecule(n, n) for n in (5, 6, 7, 8)]


def lengths(pos: Tensor, edge_index: Tensor) -> Tensor:
    return (pos[edge_index[0]] - pos[edge_index[1]]).square().sum(1)  # (E,)


def energy(z: Tensor, pos: Tensor, edge_index: Tensor) -> Tensor:
    """A scalar per node that distances alone decide."""
    return z[:, None] * torch.zeros(len(z), 1).to(pos).index_add(0, edge_index[0], torch.exp(-lengths(pos, edge_index))[:, None])


def force(z: Tensor, pos: Tensor, edge_index: Tensor) -> Tensor:
    """A vector per node, along differences."""
    pull = (pos[edge_index[0]] - pos[edge_index[1]]) * torch.exp(-lengths(pos, edge_index))[:, None]
    return z[:, None] * torch.zeros_like(pos).index_add(0, edge_index[0], pull)


def volume(z: Tensor, pos: Tensor) -> Tensor:
    """The signed volume of three differences: the mirror image has the other sign."""
    a, b, c = (pos[k] - pos[0] for k in (1, 2, 3))
    return torch.stack([torch.linalg.det(torch.stack([a, b, c])), z.double().mean()])[None]


def height(z: Tensor, pos: Tensor) -> Tensor:
    return pos[:, :1]


def judgments(model: Any, *checks: str, inputs: Any = MOLECULES) -> dict[str, str]:
    found = erlangen.audit(model, inputs, list(checks) or None, only_exact=True, where=False)
    return {check.name: check.judgment for check in found.checks}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (energy, ("exact", "exact", "exact")),
        (volume, ("exact", "broken", "exact")),
        (height, ("broken", "broken", "broken")),
    ],
)
def test_scalars(model: Any, expected: tuple[str, ...]) -> None:
    found = judgments(model, *NODE)
    assert tuple(found[name] for name in NODE) == expected


def test_vectors() -> None:
    found = erlangen.audit(force, MOLECULES, [*VECTORS, NodeTranslation()], only_exact=True, where=False)
    assert [check.judgment for check in found.checks[-3:]] == ["exact", "exact", "exact"]
    found = erlangen.audit(force, MOLECULES, [NodeRotation("scalars")], only_exact=True, where=False)
    assert found.checks[-1].judgment == "broken"
    crossed = lambda z, pos: torch.linalg.cross(pos - pos.mean(0), (z[:, None] * pos).mean(0).expand_as(pos))  # noqa: E731
    found = erlangen.audit(crossed, MOLECULES, list(VECTORS), only_exact=True, where=False)
    assert [check.judgment for check in found.checks[-2:]] == ["exact", "broken"]  # an axial vector


def test_three_columns_may_be_either() -> None:
    x = read_inputs(MOLECULES).inputs[0]
    for symmetry in (NodeRotation(), NodeReflection()):
        kinds = [option.reading.output for option in symmetry.readings(x, noise(len(x), 3))]
        assert kinds == ["scalars", "vectors"]
        assert not symmetry.readings(x, noise(len(x), 4))
        assert not symmetry.readings(x, noise(len(x) + 1, 3))
        assert symmetry.reading is None


def test_defaults_follow_the_coordinates() -> None:
    """Informational: not every model of such graphs is meant to have them."""
    found = erlangen.audit(height, MOLECULES, only_exact=True, where=False)
    checks = {check.name: check for check in found.checks}
    assert all(checks[name].informational for name in NODE)
    plain = [Graph(noise(n, 3), torch.tensor([[0, 1], [1, 0]]), {}, {}) for n in (4, 5, 6)]
    assert set(NODE).isdisjoint(judgments(lambda x, edge_index: x.exp(), inputs=plain))
    assert judgments(lambda x, edge_index: x.exp(), "node-rotation", inputs=plain)["node-rotation"] == "not measured"


def test_graphs_without_features_or_edges() -> None:
    inputs, domain, _ = read_inputs(MOLECULES)
    assert domain.name == "graphs"
    assert inputs[0].x.shape == (5, 0)
    assert set(inputs[0].nodes) == {"z", "pos"}
    bare = SimpleNamespace(x=None, pos=noise(4, 2), edge_index=None)
    assert read_inputs([bare]).inputs[0].edge_index.shape == (2, 0)
    with pytest.raises(ModelError, match=r"set data\.x, data\.z or data\.pos"):
        read_inputs([SimpleNamespace(x=None, edge_index=torch.zeros(2, 0))])
    kept = judgments(energy, "node-permutation", "edge-order")
    assert (kept["node-permutation"], kept["edge-order"]) == ("exact", "exact")
    assert judgments(lambda z, pos: (z.cumsum(0)[:, None] * pos).sin(), "node-permutation")["node-permutation"] == "broken"


def test_batches_of_molecules() -> None:
    """One row per graph, through `batch`."""

    def total(z: Tensor, pos: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        rows = energy(z, pos, edge_index)
        return torch.zeros(int(batch.max()) + 1, 1).to(rows).index_add(0, batch, rows)

    found = judgments(total, "node-rotation")
    assert (found["batch-composition"], found["node-rotation"]) == ("exact", "exact")
    adapter = load_domain("graphs").adapter(total)
    (), named = adapter.collate(read_inputs(MOLECULES).inputs)
    assert set(named) == {"z", "pos", "edge_index", "batch"}


def test_models_of_whole_data_get_no_x() -> None:
    pytest.importorskip("torch_geometric")
    seen = []

    def model(data: Any) -> Tensor:
        seen.append(data.x)
        return energy(data.z, data.pos, data.edge_index)

    assert judgments(model, "node-rotation")["node-rotation"] == "exact"
    assert set(map(type, seen)) == {type(None)}


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("kind", [NodeRotation, NodeReflection, NodeTranslation])
def test_the_laws(kind: Any, d: int) -> None:
    x = graph()
    x = Graph(x.x, x.edge_index, {"pos": noise(9, d), "vel": noise(9, d, salt=2), "charge": noise(9)}, x.edges)

    def kept(x: Graph) -> Tensor:
        """Distances, and, unless the symmetry is a translation, the products with `vel`."""
        return lengths(x.nodes["pos"], x.edge_index) if kind is NodeTranslation else (x.nodes["pos"] * x.nodes["vel"]).sum(1)

    check_symmetry(kind(), x, kept_by=kept)
    if kind is not NodeTranslation:
        check_symmetry(kind("vectors"), x, kept_by=lambda x: x.nodes["pos"] - 2 * x.nodes["vel"])
        for g in kind().generators(x):
            (moved, turned), still = (kind().act(x, g).nodes[name] for name in ("pos", "vel")), kind().act(x, g).nodes["charge"]
            assert not torch.equal(moved, x.nodes["pos"])
            assert not torch.equal(turned, x.nodes["vel"])
            assert torch.equal(still, x.nodes["charge"])


@pytest.mark.parametrize("kind", [NodeRotation, NodeReflection, NodeTranslation])
def test_without_coordinates_in_the_plane_or_in_space_there_are_no_elements(kind: Any) -> None:
    import numpy as np

    for nodes in ({}, {"pos": noise(9, 4)}, {"pos": noise(9)}):
        x = Graph(noise(9, 2), torch.zeros(2, 0, dtype=torch.long), nodes)
        assert not kind().generators(x)
        assert not kind().elements(x, 3, np.random.default_rng(0))


def test_determinants_and_labels() -> None:
    x = read_inputs(MOLECULES).inputs[0]
    import numpy as np

    rng = np.random.default_rng(0)
    assert [round(float(np.linalg.det(np.array(g)))) for g in NodeRotation().elements(x, 4, rng)] == [1] * 4
    mirrors = [*NodeReflection().elements(x, 4, rng), *NodeReflection().generators(x)]
    assert [round(float(np.linalg.det(np.array(g)))) for g in mirrors] == [-1] * 5
    assert NodeReflection().label(mirrors[-1]) == "x to -x"
    assert NodeReflection().label(mirrors[0]).startswith("x to -x, then ")
