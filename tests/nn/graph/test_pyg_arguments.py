"""Oracle: PyG's layers of the same names, with the same weights, for every argument and every kind of graph that they take."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from erlangen.nn import graph as ours

EDGES = torch.tensor([[0, 2, 2, 1, 4, 0, 2, 3], [1, 0, 0, 1, 3, 3, 4, 3]])  # an edge twice, loops at 1 and 3, node 2 hears nobody
N = 5
X, WEIGHT, FEATURES = torch.randn(N, 3), torch.rand(8) + 0.1, torch.randn(8, 2)
NAMES = ("GCNConv", "SAGEConv", "GraphConv", "GATConv", "GATv2Conv", "TransformerConv")
ATTENTION = NAMES[3:]
by_name = pytest.mark.parametrize("name", NAMES)
by_attention = pytest.mark.parametrize("name", ATTENTION)


@pytest.fixture(scope="module")
def pyg() -> ModuleType:
    return pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")


def twins(pyg: ModuleType, name: str, *given: Any, **made: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    """PyG's layer and ours with its weights, in float64."""
    torch.manual_seed(0)
    theirs = getattr(pyg, name)(*given, **made).double()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    if name in ("GATConv", "GATv2Conv"):
        made = made | {"replace_self_loops": True}
    mine = getattr(ours, name)(*given, **made).double()
    mine.load_state_dict(theirs.state_dict())
    return theirs, mine


def same(theirs: torch.nn.Module, mine: torch.nn.Module, *inputs: Any, **named: Any) -> None:
    """The same numbers, and the same gradients of all parameters."""
    a, b = theirs(*inputs, **named), mine(*inputs, **named)
    torch.testing.assert_close(b, a, rtol=0, atol=1e-10)
    coefficients = torch.linspace(-1, 1, a.numel(), dtype=a.dtype).view_as(a)
    expected, found = (gradients((out * coefficients).sum(), net) for out, net in ((a, theirs), (b, mine)))
    for name, grad in expected.items():
        if name not in found:  # PyG's TransformerConv keeps weights that it does not use
            assert not grad.any()
            continue
        torch.testing.assert_close(found[name], grad, rtol=0, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")


def gradients(loss: Tensor, net: torch.nn.Module) -> dict[str, Tensor]:
    """Of all parameters by name, 0 where they play no part."""
    named = dict(net.named_parameters())
    return dict(
        zip(named, torch.autograd.grad(loss, list(named.values()), materialize_grads=True, allow_unused=True), strict=True)
    )


@by_name
def test_arguments_have_pygs_names_places_and_defaults(pyg: ModuleType, name: str) -> None:
    theirs, mine = (inspect.signature(getattr(module, name).__init__).parameters for module in (pyg, ours))
    expected = [(p.name, p.default) for p in theirs.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    found = [(p.name, p.default) for p in mine.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert found == expected
    theirs, mine = (inspect.signature(getattr(module, name).forward).parameters for module in (pyg, ours))
    assert [p.name for p in mine.values() if p.kind is p.POSITIONAL_OR_KEYWORD] == list(theirs)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("GCNConv", {}), ("GCNConv", {"normalize": False}), ("GCNConv", {"bias": False}),
        ("GCNConv", {"add_self_loops": False}), ("GCNConv", {"flow": "target_to_source"}),
        *(("SAGEConv", {"aggr": aggr}) for aggr in ("mean", "sum", "add", "max", "min", "mul", "median", ["mean", "max"])),
        ("SAGEConv", {"normalize": True}), ("SAGEConv", {"project": True}), ("SAGEConv", {"root_weight": False}),
        ("SAGEConv", {"bias": False}), ("SAGEConv", {"flow": "target_to_source"}),
        *(("GraphConv", {"aggr": aggr}) for aggr in ("add", "mean", "max")), ("GraphConv", {"bias": False}),
        *((name, made) for name in ("GATConv", "GATv2Conv") for made in (
            {"heads": 3}, {"heads": 3, "concat": False}, {"negative_slope": 0.5}, {"add_self_loops": False}, {"bias": False},
            {"heads": 2, "residual": True}, {"heads": 2, "residual": True, "concat": False}, {"flow": "target_to_source"})),
        ("GATv2Conv", {"share_weights": True, "heads": 2}),
        *(("TransformerConv", made) for made in (
            {"heads": 3}, {"heads": 3, "concat": False}, {"heads": 2, "beta": True}, {"beta": True, "concat": False},
            {"bias": False}, {"root_weight": False}, {"root_weight": False, "beta": True}, {"flow": "target_to_source"})),
    ],
    ids=str,
)  # fmt: skip
def test_every_argument_does_what_it_does_in_pyg(pyg: ModuleType, name: str, made: dict[str, Any]) -> None:
    once = EDGES[:, [0, 1, 3, 4, 5, 6, 7]]  # PyG keeps one loop of several, and its mul of a repeated edge is another matter
    same(*twins(pyg, name, 3, 4, **made), X.double(), once)


@pytest.mark.parametrize("name", ["GATConv", "GATv2Conv"])
@pytest.mark.parametrize(
    "fill", ["mean", "add", "max", "min", "mul", 0.5, torch.tensor([0.5, -1.0], dtype=torch.float64)], ids=str
)
def test_added_loops_have_pygs_features(pyg: ModuleType, name: str, fill: Any) -> None:
    made = {"heads": 2, "edge_dim": 2, "fill_value": fill}
    same(*twins(pyg, name, 3, 4, **made), X.double(), EDGES, FEATURES.double())


@by_attention
def test_features_of_edges_may_be_a_number_each(pyg: ModuleType, name: str) -> None:
    theirs, mine = twins(pyg, name, 3, 4, heads=2, edge_dim=1)
    column = WEIGHT.double()[:, None]
    torch.testing.assert_close(mine(X.double(), EDGES, WEIGHT.double()), theirs(X.double(), EDGES, column), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["GATConv", "GATv2Conv"])
def test_given_loops_are_kept_with_their_features_unless_they_are_to_be_replaced(pyg: ModuleType, name: str) -> None:
    theirs, mine = twins(pyg, name, 3, 4, edge_dim=2)
    kept = getattr(ours, name)(3, 4, edge_dim=2).double()
    kept.load_state_dict(theirs.state_dict())
    moved = FEATURES.double().clone()
    moved[3] += 1  # of the loop at node 1
    listening = [
        not torch.equal(layer(X.double(), EDGES, FEATURES.double()), layer(X.double(), EDGES, moved)) for layer in (mine, kept)
    ]
    assert listening == [False, True]


Graphs = dict[str, Callable[[Tensor, int, int], Any]]
SPARSE: Graphs = {
    "coo": lambda edges, n, m: torch.sparse_coo_tensor(edges.flip(0), WEIGHT[: edges.shape[1]].double(), (m, n)).coalesce(),
    "csr": lambda edges, n, m: SPARSE["coo"](edges, n, m).to_sparse_csr(),
    "csc": lambda edges, n, m: SPARSE["coo"](edges, n, m).to_sparse_csc(),
}
ONCE = EDGES[:, [0, 1, 4, 5, 6]]  # no loops, no edge twice


@by_name
@pytest.mark.parametrize("layout", SPARSE)
def test_a_sparse_adjacency_is_read_as_its_edges(pyg: ModuleType, name: str, layout: str) -> None:
    """Its entries are weights where the layer has weights. PyG reads CSR alone alike, so that its twin gets the edges."""
    _, mine = twins(pyg, name, 3, 4)
    adj_t = SPARSE[layout](ONCE, N, N)
    weighted = {"edge_weight": WEIGHT[:5].double()} if name in ("GCNConv", "GraphConv") else {}
    expected = mine(X.double(), ONCE, **weighted)
    for _ in range(2):  # the second time from what is remembered
        torch.testing.assert_close(mine(X.double(), adj_t), expected, rtol=0, atol=1e-10)


@by_name
def test_a_sparse_adjacency_that_changes_is_read_again(pyg: ModuleType, name: str) -> None:
    _, mine = twins(pyg, name, 3, 4)
    adj_t = SPARSE["csr"](ONCE, N, N)
    before = mine(X.double(), adj_t)
    adj_t.col_indices().copy_(torch.tensor([3, 0, 0, 1, 2]))
    rows = adj_t.to_sparse_coo().indices()
    weighted = {"edge_weight": adj_t.values()} if name in ("GCNConv", "GraphConv") else {}
    torch.testing.assert_close(mine(X.double(), adj_t), mine(X.double(), rows.flip(0), **weighted), rtol=0, atol=1e-10)
    assert not torch.equal(before, mine(X.double(), adj_t))


@by_name
def test_other_forms_of_the_same_edges(pyg: ModuleType, name: str) -> None:
    edge_index = pytest.importorskip("torch_geometric").EdgeIndex
    _, mine = twins(pyg, name, 3, 4)
    expected = mine(X.double(), EDGES)
    assert torch.equal(mine(X.double(), EDGES.int()), expected)
    assert torch.equal(mine(X.double(), edge_index(EDGES, sparse_size=(N, N))), expected)


@pytest.mark.parametrize("name", ["SAGEConv", "GraphConv", "GATConv"])
def test_without_features_of_the_targets(pyg: ModuleType, name: str) -> None:
    theirs, mine = twins(pyg, name, (3, 2), 4)
    edges = torch.tensor([[0, 1, 4, 3], [0, 0, 1, 1]])
    same(theirs, mine, (X.double(), None), edges, size=(N, 2))
    a, b = mine((X.double(), None), edges, size=(N, 2)), mine((X.double(), None), SPARSE["csr"](edges, N, 2).sign())
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "made"), [("GCNConv", {}), ("SAGEConv", {}), ("SAGEConv", {"aggr": "max"}), ("GraphConv", {})], ids=str
)
def test_many_graphs_with_the_same_edges(pyg: ModuleType, name: str, made: dict[str, Any]) -> None:
    theirs, mine = twins(pyg, name, 3, 4, **made)
    many = torch.randn(2, N, 3, dtype=torch.float64)
    same(theirs, mine, many, EDGES[:, :7])


def test_a_cached_graph_is_kept_until_the_parameters_are_reset() -> None:
    layer = ours.GCNConv(3, 4, cached=True)
    first = layer(X, EDGES)
    assert torch.equal(layer(X, EDGES[:, :2]), first)
    layer.reset_parameters()
    assert not torch.equal(layer(X, EDGES), first)
    fresh = ours.GCNConv(3, 4)
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(layer(X, EDGES), fresh(X, EDGES))


@by_name
def test_parameters_are_drawn_anew_from_the_same_distribution(pyg: ModuleType, name: str) -> None:
    torch.manual_seed(1)
    layer = getattr(ours, name)(30, 40)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    layer.reset_parameters()
    for key, value in layer.state_dict().items():
        if before[key].any():
            assert not torch.equal(value, before[key])
            assert 0.5 < value.std() / before[key].std() < 2
        else:
            assert not value.any()


@by_name
def test_it_prints_as_pygs_does(pyg: ModuleType, name: str) -> None:
    assert str(getattr(ours, name)(3, 4)) == str(getattr(pyg, name)(3, 4))


@by_name
def test_lazy_widths(name: str) -> None:
    layer = getattr(ours, name)(-1, 4)
    assert layer(X, EDGES).shape == (N, 4)
    layer.reset_parameters()
    assert layer(X, EDGES).shape == (N, 4)


class Doubled(ours.GraphConv):
    def message(self, x_j: Tensor, edge_weight: Tensor | None) -> Tensor:
        return 2 * super().message(x_j, edge_weight)


class Asking(ours.SAGEConv):
    def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        return x_i - x_j


def test_a_message_that_a_subclass_overrides_is_called() -> None:
    layer, plain = Doubled(3, 4, bias=False).double(), ours.GraphConv(3, 4, bias=False).double()
    plain.load_state_dict(layer.state_dict())
    root = X.double() @ plain.lin_root.weight.T
    torch.testing.assert_close(layer(X.double(), EDGES) - root, 2 * (plain(X.double(), EDGES) - root))
    asking = Asking(3, 4, root_weight=False, bias=False).double()
    assert not asking(torch.ones(N, 3).double(), EDGES).any()
    asking.message = lambda x_j, edge_color: x_j  # type: ignore[method-assign, assignment]
    with pytest.raises(TypeError, match="there is no 'edge_color' to pass"):
        asking(X.double(), EDGES)


@pytest.mark.parametrize("kind", ["forward_pre", "forward", "full_backward", "full_backward_pre"])
@pytest.mark.parametrize(
    ("name", "part"), [("GATConv", "lin_edge"), ("GraphConv", "lin_rel"), ("SAGEConv", "lin_l"), ("GraphConv", "lin_root")]
)
def test_hooks_of_the_linear_layers_are_called(name: str, part: str, kind: str) -> None:
    layer = getattr(ours, name)(3, 2, **({"edge_dim": 2} if name == "GATConv" else {}))
    called = []
    getattr(getattr(layer, part), f"register_{kind}_hook")(lambda *_: called.append(kind))
    layer(X.requires_grad_(), EDGES, *([FEATURES] if name == "GATConv" else [])).sum().backward()
    X.requires_grad_(False)
    assert called


def test_an_adapter_on_the_weights_of_the_edges_changes_the_output() -> None:
    class Adapter(torch.nn.Module):
        def __init__(self, linear: torch.nn.Linear) -> None:
            super().__init__()
            self.linear, self.weight = linear, linear.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x) + 5 * x.sum(-1, keepdim=True)

    layer = ours.GATConv(3, 2, edge_dim=2)
    before = layer(X, EDGES, FEATURES)
    layer.lin_edge = Adapter(layer.lin_edge)  # type: ignore[assignment, arg-type]
    assert not torch.allclose(layer(X, EDGES, FEATURES), before)


@by_name
def test_forward_mode_derivatives_equal_finite_differences(name: str) -> None:
    made = {"edge_dim": 2, "heads": 2} if name in ATTENTION else {}
    layer = getattr(ours, name)(3, 2, **made).double()
    x, extra = X.double().requires_grad_(), FEATURES.double() if name in ATTENTION else None
    extra = WEIGHT.double().requires_grad_() if name in ("GCNConv", "GraphConv") else extra
    inputs = [x] if extra is None else [x, extra.requires_grad_()]
    assert torch.autograd.gradcheck(lambda x, *more: layer(x, EDGES, *more), inputs, check_forward_ad=True)


@pytest.mark.parametrize(("name", "made"), [
    ("GCNConv", {"normalize": False}), ("SAGEConv", {}), ("SAGEConv", {"aggr": ["mean", "max"]}), ("GraphConv", {}),
    ("GATConv", {"add_self_loops": False}), ("GATv2Conv", {"add_self_loops": False}), ("TransformerConv", {"beta": True}),
])  # fmt: skip
def test_export_and_whole_compilation_give_the_same(name: str, made: dict[str, Any]) -> None:
    layer = getattr(ours, name)(3, 2, **made)
    expected = layer(X, EDGES)
    exported = torch.export.export(layer, (X, EDGES)).module()
    torch.testing.assert_close(exported(X, EDGES), expected)
    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(layer, backend="aot_eager", fullgraph=True)(X, EDGES), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.GraphConv(3, 2)(X, EDGES, size=(5, 4)), "size says 5 sources and 4 targets, but x has 5 and 5"),
        (lambda: ours.SAGEConv(3, 2)(X, SPARSE["csr"](ONCE, N, 6)), "the adjacency says 5 sources and 6 targets"),
        (lambda: ours.GCNConv(3, 2)(X, SPARSE["csr"](ONCE, N, 6)), "the adjacency has 5 sources and 6 targets"),
        (lambda: ours.GCNConv(3, 2)((X, X), EDGES), "x is a pair"),
        (lambda: ours.SAGEConv(3, 2, flow="target_to_source")(X, SPARSE["csr"](ONCE, N, N)), "needs an edge_index"),
        (lambda: ours.TransformerConv(3, 2)((X, None), EDGES, size=(5, 5)), r"pass \(x_src, x_dst\)"),
        (lambda: ours.SAGEConv(3, 2, aggr="lstm"), "aggr 'lstm' is unknown: choose one of add, sum, mean"),
        (lambda: ours.SAGEConv(3, 2, aggr=None), "aggr must be a name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
