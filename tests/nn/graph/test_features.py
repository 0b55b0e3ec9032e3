"""Rows without zeros against the dense matrix that they stand for."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.graph.features import SparseRows
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.gatv2 import GATv2Conv
from erlangen.nn.graph.gcn import GCNConv


def words(dtype: torch.dtype = torch.float64) -> Tensor:
    """(9, 12) with an empty row, an empty column and a negative entry."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 12, generator=generator, dtype=dtype) * (torch.rand(9, 12, generator=generator) < 0.3)
    x[4], x[:, 7] = 0, 0
    return x


def test_dense_gives_back_the_matrix() -> None:
    x = words()
    rows = SparseRows.of(x)
    assert torch.equal(rows.dense(), x)
    assert (len(rows), rows.shape, rows.ndim, rows.dtype) == (9, (9, 12), 2, torch.float64)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_sees_no_difference(bias: bool) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(12, 5, bias).double(), words()
    expected, actual = layer(x), layer(SparseRows.of(x))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)
    probe = torch.randn(9, 5, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad((actual * probe).sum(), list(layer.parameters())),
        torch.autograd.grad((expected * probe).sum(), list(layer.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [lambda: GCNConv(12, 4), lambda: GATConv(12, 2, heads=2), lambda: GATv2Conv(12, 2, heads=2)],
    ids=["gcn", "gat", "gatv2"],
)
def test_graph_layers_see_no_difference(layer: type[nn.Module]) -> None:
    torch.manual_seed(1)
    net, x = layer().double(), words()
    edges = torch.randint(0, 9, (2, 30))
    torch.testing.assert_close(net(SparseRows.of(x), edges), net(x, edges), rtol=0, atol=1e-12)


def test_dropout_drops_entries_and_keeps_zeros() -> None:
    torch.manual_seed(2)
    x = torch.ones(200, 300) * (torch.rand(200, 300) < 0.1)
    y = SparseRows.of(x).dropout(0.5).dense()
    assert not y[x == 0].any()
    assert set(y[x != 0].tolist()) == {0.0, 2.0}
    assert abs(float((y[x != 0] == 0).float().mean()) - 0.5) < 0.05
    assert torch.equal(SparseRows.of(x).dropout(0.5, training=False).dense(), x)


def test_what_is_no_linear_layer_is_refused_in_words() -> None:
    rows = SparseRows.of(words())
    with pytest.raises(TypeError, match=r"SparseRows can only be passed to a linear layer: use \.dense\(\)"):
        F.relu(rows)  # type: ignore[arg-type]


def test_nan_is_found() -> None:
    x = words()
    x[0, 0] = float("nan")
    with pytest.raises(ValueError, match="x is NaN"):
        GCNConv(12, 4)(SparseRows.of(x), torch.tensor([[0], [1]]))
