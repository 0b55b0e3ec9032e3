"""Oracles: D̂^(-1/2) Â D̂^(-1/2) with dense matrices, and PyG's GCNConv with the same weights."""

from types import ModuleType

import pytest
import torch
from hypothesis import assume, given
from support.graphs import Drawn, assert_near, directed_graphs, gradients, with_random_bias
from torch import Tensor

from erlangen.nn.graph.algebra import adjacency, self_loops
from erlangen.nn.graph.gcn import GCNConv

BOUND = {torch.float32: 1e-6, torch.float64: 1e-12}
EDGES = torch.tensor([[0, 2, 2, 1, 4, 0, 2], [1, 0, 0, 1, 3, 3, 4]])


@pytest.fixture(scope="module")
def pyg() -> ModuleType:
    return pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")


def layer_of(dtype: torch.dtype = torch.float64, add_self_loops: bool = True) -> GCNConv:
    torch.manual_seed(0)
    return with_random_bias(GCNConv(3, 2, add_self_loops=add_self_loops)).to(dtype)


def dense(layer: GCNConv, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
    a = adjacency(edge_index, len(x), weight)
    loops = torch.zeros(len(x), dtype=torch.bool)
    loops[edge_index[0][self_loops(edge_index)]] = True
    a = a + torch.diag((~loops).to(a.dtype)) if layer.add_self_loops else a
    d = a.sum(1)
    scale = torch.where(d > 0, d.clamp(min=1e-300).rsqrt(), 0)
    return scale[:, None] * a * scale @ x @ layer.lin.weight.T + layer.bias


@pytest.mark.parametrize("add_self_loops", [True, False])
@given(directed_graphs())
def test_gcn_and_its_gradients_equal_the_equation(add_self_loops: bool, graph: Drawn) -> None:
    layer, x = layer_of(add_self_loops=add_self_loops), graph.randn(graph.n, 3).requires_grad_()
    weight = (graph.randn(graph.num_edges, salt=1).abs() + 0.1).requires_grad_()
    ours, theirs = layer(x, graph.edge_index, weight), dense(layer, x, graph.edge_index, weight)
    assert_near(ours, theirs, 1e-12)
    leaves = (x, weight, *layer.parameters())
    for a, b in zip(gradients(ours, *leaves), gradients(theirs, *leaves), strict=True):
        assert_near(a, b, 1e-11)
    ones = torch.ones_like(weight)
    assert_near(layer(x, graph.edge_index), dense(layer, x, graph.edge_index, ones), 1e-12)


@pytest.mark.parametrize("add_self_loops", [True, False])
@given(directed_graphs())
def test_gcn_is_pygs_with_the_same_weights(pyg: ModuleType, dtype: torch.dtype, add_self_loops: bool, graph: Drawn) -> None:
    loops = graph.edge_index[0, self_loops(graph.edge_index)]
    assume(len(loops) == len(loops.unique()))  # several loops at one node: see below
    theirs = pyg.GCNConv(3, 2, add_self_loops=add_self_loops).to(dtype)
    ours = GCNConv(3, 2, add_self_loops=add_self_loops).to(dtype)
    ours.load_state_dict(with_random_bias(theirs).state_dict())
    x = graph.randn(graph.n, 3, dtype=dtype).requires_grad_()
    weight = (graph.randn(graph.num_edges, dtype=dtype, salt=1).abs() + 0.1).requires_grad_()
    for given_weight in (None, weight):
        a, b = ours(x, graph.edge_index, given_weight), theirs(x, graph.edge_index, given_weight)
        assert_near(a, b, BOUND[dtype])
        for one, other in zip(gradients(a, x, weight), gradients(b, x, weight), strict=True):
            assert_near(one, other, 10 * BOUND[dtype])


def test_pyg_drops_all_but_one_of_several_self_loops(pyg: ModuleType) -> None:
    """Two loops at node 0: A has 2 there. PyG keeps one of them, without a word."""
    edge_index, x = torch.tensor([[0, 0, 1], [0, 0, 0]]), torch.randn(2, 3, dtype=torch.float64)
    ours, theirs = layer_of(), pyg.GCNConv(3, 2).double()
    theirs.load_state_dict(ours.state_dict())
    ones = torch.ones(3, dtype=torch.float64)
    assert_near(ours(x, edge_index), dense(ours, x, edge_index, ones), 1e-12)
    assert (ours(x, edge_index) - theirs(x, edge_index)).abs().max() > 0.01
    assert_near(theirs(x, edge_index), ours(x, edge_index[:, 1:]), 1e-12)


def test_gradients_equal_finite_differences() -> None:
    layer, x = layer_of(), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(7, dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(lambda x, w: layer(x, EDGES, w), (x, weight.requires_grad_()))


@given(directed_graphs())
def test_relabeling_the_nodes_relabels_the_output(graph: Drawn) -> None:
    layer, x = layer_of(), graph.randn(graph.n, 3)
    perm = torch.randperm(graph.n, generator=torch.Generator().manual_seed(graph.seed))
    ours = layer(x[perm], torch.argsort(perm)[graph.edge_index])
    assert_near(ours, layer(x, graph.edge_index)[perm], 1e-12)


def test_evaluation_before_training_and_lazy_width() -> None:
    edge_index, x = EDGES.clone(), torch.randn(5, 3)
    layer = GCNConv(-1, 2)
    with torch.inference_mode():
        layer(x, edge_index)
    layer = GCNConv(-1, 2)
    layer(x, edge_index).sum().backward()
    assert layer.lin.weight.grad is not None
    assert layer.lin.weight.abs().max() <= (6 / 5) ** 0.5


def test_bfloat16_counts_past_256() -> None:
    layer = GCNConv(1, 1, bias=False)
    with torch.no_grad():
        layer.lin.weight.fill_(1)
    star = torch.stack([torch.arange(1, 1001), torch.zeros(1000, dtype=torch.int64)])
    x = torch.ones(1001, 1)
    exact, ours = layer(x, star), layer.bfloat16()(x.bfloat16(), star)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), exact, rtol=2**-8, atol=0)


def test_torch_compile_takes_it_whole_where_loops_are_given() -> None:
    torch.compiler.reset()
    layer, x = layer_of(add_self_loops=False), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    ours, theirs = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, EDGES), layer(x, EDGES)
    assert_near(ours, theirs, 1e-12)
    assert_near(gradients(ours, x)[0], gradients(theirs, x)[0], 1e-12)


def test_autocast_computes_in_its_own_type() -> None:
    layer, x = layer_of(torch.float32), torch.randn(5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x, EDGES)
    torch.testing.assert_close(out.float(), layer(x, EDGES), rtol=2**-5, atol=2**-5)


@pytest.mark.parametrize(
    ("x", "edge_index", "weight", "message"),
    [
        (torch.zeros(3, 3), torch.tensor([[0], [7]]), None, "target 7 at edge 0"),
        (torch.zeros(3, 3), torch.tensor([[0], [1]]), torch.tensor([-2.0]), "node 1 add up to -2"),
        (torch.full((3, 3), torch.nan), torch.tensor([[0], [1]]), None, "x is NaN"),
        (torch.zeros(3, 3), torch.tensor([[0], [1]]), torch.ones(1, 1), r"edge_weight must have shape .* has \(1, 1\)"),
    ],
)
@pytest.mark.parametrize("add_self_loops", [True, False])
def test_bad_input_is_named(add_self_loops: bool, x: Tensor, edge_index: Tensor, weight: Tensor | None, message: str) -> None:
    if weight is not None and weight.ndim == 1 and add_self_loops:
        message, weight = "node 1 add up to -1", torch.tensor([-2.0])
    with pytest.raises(ValueError, match=message):
        GCNConv(3, 2, add_self_loops=add_self_loops)(x, edge_index, weight)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("improved", [True, False])
@pytest.mark.parametrize("add_self_loops", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_known_weights_give_what_several_functions_give(
    cached: bool, improved: bool, add_self_loops: bool, dtype: torch.dtype
) -> None:
    """With the weights of an earlier call the layer is one function. With a hook on the linear layer it is several."""
    torch.manual_seed(0)
    layer = with_random_bias(GCNConv(3, 2, improved, cached, add_self_loops)).to(dtype)
    edges, x = EDGES.clone(), torch.randn(5, 3, dtype=dtype).requires_grad_()
    leaves, seen = (x, *layer.parameters()), []
    layer(x, edges)
    one = layer(x, edges)
    assert "Convolution" in type(one.grad_fn).__name__
    handle = layer.lin.register_forward_hook(lambda *_: seen.append(1))
    several = layer(x, edges)
    handle.remove()
    assert seen
    bound = 2 * torch.finfo(dtype).eps
    assert_near(one, several, bound)
    for a, b in zip(gradients(one, *leaves), gradients(several, *leaves), strict=True):
        assert_near(a, b, 2 * bound)
    edges[:, 0] = 4  # a cached graph stays, another one does not
    assert torch.equal(layer(x, edges), one) == cached


def test_layers_that_share_a_graph_have_weights_of_their_own() -> None:
    x, layers = (
        torch.randn(5, 3).double(),
        [GCNConv(3, 2, improved, add_self_loops=loops) for improved, loops in [(0, 1), (1, 1), (0, 0)]],
    )
    for layer in (*layers, *layers):
        layer.double().load_state_dict(layers[0].double().state_dict())
        loops = 2.0 if layer.improved else 1.0
        a = adjacency(EDGES, 5, torch.ones(7, dtype=torch.float64))
        a = a + torch.diag((a.diag() == 0) * loops) if layer.add_self_loops else a
        scale = torch.where(a.sum(1) > 0, a.sum(1).rsqrt(), 0)
        assert_near(layer(x, EDGES), scale[:, None] * a * scale @ x @ layer.lin.weight.T + layer.bias, 1e-12)


def test_a_cached_graph_refuses_too_few_nodes() -> None:
    layer = GCNConv(3, 2, cached=True)
    for _ in range(2):
        layer(torch.randn(5, 3), EDGES)
    with pytest.raises(ValueError, match="but there are 4 nodes"):
        layer(torch.randn(4, 3), EDGES)
    assert layer(torch.randn(6, 3), EDGES).shape == (6, 2)
    layer.reset_parameters()
    assert layer._cached_edge_index is layer._cached_entries is None
