"""PyG's own tools on our layers: to_hetero, an explainer's masks, its models, against the same tools on PyG's layers."""

import copy
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

pyg = pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")
from erlangen.nn.graph import pyg as ours  # noqa: E402

NAMES = ("GCNConv", "SAGEConv", "GraphConv", "GATConv", "GATv2Conv", "TransformerConv")
EDGES = torch.tensor([[0, 2, 3, 1, 4, 0, 2], [1, 0, 0, 2, 3, 3, 4]])
X = torch.randn(5, 3)
by_name = pytest.mark.parametrize("name", NAMES)


class Net(nn.Module):
    """Two layers, as in PyG's examples."""

    def __init__(self, module: ModuleType, name: str, width: Any = 3) -> None:
        super().__init__()
        kind = getattr(module, name)
        self.conv1, self.conv2 = kind(width, 8), kind((8, 8) if isinstance(width, tuple) else 8, 4)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(x, edge_index)), edge_index)


def pair(name: str, width: Any = 3) -> tuple[Net, Net]:
    theirs, mine = Net(pyg, name, width), Net(ours, name, width)
    mine.load_state_dict(theirs.state_dict())
    return theirs, mine


@by_name
def test_copies_and_pickles(name: str, tmp_path) -> None:
    _, mine = pair(name)
    expected = mine(X, EDGES)
    assert torch.equal(copy.deepcopy(mine)(X, EDGES), expected)
    torch.save(mine, tmp_path / "net.pt")
    assert torch.equal(torch.load(tmp_path / "net.pt", weights_only=False)(X, EDGES), expected)


@by_name
@pytest.mark.parametrize("apply_sigmoid", [True, False])
def test_an_explainers_mask_weighs_the_messages_as_in_pyg(name: str, apply_sigmoid: bool) -> None:
    from torch_geometric.explain.algorithm.utils import clear_masks, set_masks

    theirs, mine = pair(name)
    before, gradients = mine(X, EDGES), []
    for net in (theirs, mine):
        mask = nn.Parameter(torch.linspace(-1, 2, EDGES.shape[1]))
        set_masks(net, mask, EDGES, apply_sigmoid)
        out = net(X, EDGES)
        gradients.append((out, torch.autograd.grad(out.square().sum(), mask)[0]))
        clear_masks(net)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(gradients[1][0], before)
    assert torch.equal(mine(X, EDGES), before)


@pytest.mark.parametrize("name", ["SAGEConv", "GraphConv", "GATConv"])
def test_to_hetero_makes_a_net_for_several_kinds_of_nodes(name: str) -> None:
    metadata = (["paper", "author"], [("author", "writes", "paper"), ("paper", "cites", "paper"), ("paper", "has", "author")])
    x = {"paper": X, "author": torch.randn(4, 3)}
    edges = {
        metadata[1][0]: torch.tensor([[0, 1, 3], [2, 2, 4]]),
        metadata[1][1]: EDGES,
        metadata[1][2]: torch.tensor([[0, 1, 4], [1, 0, 3]]),
    }
    kwargs = {"add_self_loops": False} if name == "GATConv" else {}

    def net(module: ModuleType) -> nn.Module:
        made = Net(module, name, (3, 3))
        for layer, width in ((made.conv1, 3), (made.conv2, 8)):
            out = 8 if layer is made.conv1 else 4
            setattr(made, "conv1" if layer is made.conv1 else "conv2", getattr(module, name)((width, width), out, **kwargs))
        return pyg.to_hetero(made, metadata, aggr="sum")

    theirs, mine = net(pyg), net(ours)
    mine.load_state_dict(theirs.state_dict())
    expected, found = theirs(x, edges), mine(x, edges)
    assert found.keys() == expected.keys() == {"paper", "author"}
    for kind, values in expected.items():
        torch.testing.assert_close(found[kind], values, rtol=1e-5, atol=1e-5)


def test_an_explainer_finds_the_edge_that_matters() -> None:
    from torch_geometric.explain import Explainer, GNNExplainer

    torch.manual_seed(0)

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = ours.GraphConv(1, 1, bias=False)
            nn.init.ones_(self.conv.lin_rel.weight)
            nn.init.zeros_(self.conv.lin_root.weight)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return self.conv(x, edge_index)

    x = torch.zeros(5, 1)
    x[2] = 3.0
    explainer = Explainer(
        Sum(), GNNExplainer(epochs=60), explanation_type="model", edge_mask_type="object",
        model_config={"mode": "regression", "task_level": "node", "return_type": "raw"},
    )  # fmt: skip
    mask = explainer(x, EDGES, index=0).edge_mask  # node 0 hears 2 and 3, of which only 2 says anything
    assert mask[1] > 2 * mask[2]
