"""Oracles: softmax over a loop of neighbors, PyG's GATConv, GATv2Conv and TransformerConv, torch's own dot-product attention."""

import copy
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, strategies as st
from support.graphs import Drawn, assert_near, directed_graphs, gradients, with_random_bias
from torch import Tensor

from erlangen.nn.graph import GATConv, GATv2Conv, TransformerConv, csr as sums, edge_softmax
from erlangen.nn.graph.algebra import add_self_loops, complete_graph, self_loops
from erlangen.nn.graph.csr import structure

BOUND = {torch.float32: 1e-6, torch.float64: 1e-12}
EDGES = torch.tensor([[0, 2, 2, 1, 4, 0, 2], [1, 0, 0, 1, 3, 3, 4]])
LAYERS = (GATConv, GATv2Conv, TransformerConv)
by_layer = pytest.mark.parametrize("kind", LAYERS, ids=[kind.__name__ for kind in LAYERS])
Layer = type[GATConv] | type[GATv2Conv] | type[TransformerConv]


@pytest.fixture(scope="module")
def pyg() -> ModuleType:
    return pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")


def layer_of(kind: Layer, in_channels: int | tuple[int, int] = 3, concat: bool = True) -> torch.nn.Module:
    torch.manual_seed(0)
    return with_random_bias(kind(in_channels, 2, heads=3, concat=concat)).double()


def softmax_by_node(scores: Tensor, target: Tensor, n: int) -> Tensor:
    out = torch.zeros_like(scores)
    for v in range(n):
        out[target == v] = scores[target == v].softmax(0)
    return out


@given(directed_graphs(), st.sampled_from([1.0, 300.0]))
def test_edge_softmax_equals_a_softmax_for_each_node(dtype: torch.dtype, graph: Drawn, spread: float) -> None:
    """Scores in the hundreds: exp alone would overflow in float32, or leave nothing where a neighbor's score is larger."""
    csr = structure(graph.edge_index, graph.n, graph.n)
    target = graph.edge_index[1, csr.order]
    scores = (spread * graph.randn(graph.num_edges, 2, dtype=dtype)).requires_grad_()
    ours, theirs = edge_softmax(csr, scores), softmax_by_node(scores, target, graph.n)
    assert_near(ours, theirs, BOUND[dtype])
    assert_near(gradients(ours, scores)[0], gradients(theirs, scores)[0], BOUND[dtype])
    totals = torch.zeros(graph.n, 2, dtype=dtype).index_add(0, target, ours.detach())
    assert_near(totals[target], torch.ones_like(totals[target]), BOUND[dtype])


def test_edge_softmax_and_its_derivatives_equal_finite_differences() -> None:
    csr, scores = structure(EDGES, 5, 5), torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: edge_softmax(csr, s), scores)
    assert torch.autograd.gradgradcheck(lambda s: edge_softmax(csr, s), scores)


@pytest.fixture(scope="module", params=[0, 2**19], ids=["head by head", "all heads at once"])
def heads(request: pytest.FixtureRequest) -> Iterator[None]:
    """A graph counts as a large one, or as a small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "FEW", request.param)
        yield


@by_layer
@pytest.mark.parametrize("concat", [True, False])
@given(directed_graphs())
def test_layers_and_gradients_are_pygs_with_the_same_weights(
    heads: None, pyg: ModuleType, dtype: torch.dtype, kind: Layer, concat: bool, graph: Drawn
) -> None:
    loops = graph.edge_index[0, self_loops(graph.edge_index)]
    assume(len(loops) == len(loops.unique()))  # PyG merges several loops at one node
    theirs = with_random_bias(getattr(pyg, kind.__name__)(3, 2, heads=3, concat=concat)).to(dtype)
    ours = kind(3, 2, heads=3, concat=concat).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    x = graph.randn(graph.n, 3, dtype=dtype).requires_grad_()
    a, b = ours(x, graph.edge_index), theirs(x, graph.edge_index)
    assert_near(a, b, BOUND[dtype])
    b_leaves = dict(theirs.named_parameters())
    a_leaves = dict(ours.named_parameters())
    a_grads = gradients(a, x, *a_leaves.values())
    b_grads = gradients(b, x, *(b_leaves[name] for name in a_leaves))
    for one, other in zip(a_grads, b_grads, strict=True):
        assert_near(one, other, 10 * BOUND[dtype])


@by_layer
@given(directed_graphs(bipartite=True, loops=False))
def test_two_sets_of_nodes_are_pygs_too(pyg: ModuleType, kind: Layer, graph: Drawn) -> None:
    theirs = with_random_bias(getattr(pyg, kind.__name__)((3, 4), 2, heads=3)).double()
    ours = kind((3, 4), 2, heads=3).double()
    ours.load_state_dict(theirs.state_dict())
    x = graph.randn(graph.n, 3), graph.randn(graph.m, 4, salt=1)
    assert_near(ours(x, graph.edge_index), theirs(x, graph.edge_index), 1e-12)


def test_gat_shares_weights_between_two_sets_of_one_width(pyg: ModuleType) -> None:
    theirs, ours = pyg.GATConv(3, 2, heads=2).double(), GATConv(3, 2, heads=2).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    edge_index = torch.tensor([[0, 4, 3, 3], [1, 0, 1, 0]])
    assert_near(ours(x, edge_index), theirs(x, edge_index), 1e-12)


@by_layer
@given(directed_graphs())
def test_with_edge_features_layers_and_all_gradients_are_pygs(
    pyg: ModuleType, dtype: torch.dtype, kind: Layer, graph: Drawn
) -> None:
    """Multi-edges with features of their own, isolated nodes, and loops added with the mean of what arrives."""
    assume(kind is TransformerConv or not self_loops(graph.edge_index).any())  # PyG drops loops given, features and all
    theirs = with_random_bias(getattr(pyg, kind.__name__)(3, 2, heads=3, edge_dim=4)).to(dtype)
    ours = kind(3, 2, heads=3, edge_dim=4).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    x = graph.randn(graph.n, 3, dtype=dtype).requires_grad_()
    edge_attr = graph.randn(graph.num_edges, 4, dtype=dtype, salt=1).requires_grad_()
    a, b = ours(x, graph.edge_index, edge_attr), theirs(x, graph.edge_index, edge_attr)
    assert_near(a, b, BOUND[dtype])
    a_leaves, b_leaves = dict(ours.named_parameters()), dict(theirs.named_parameters())
    assert set(a_leaves) == set(b_leaves)
    a_grads = gradients(a, x, edge_attr, *a_leaves.values())
    b_grads = gradients(b, x, edge_attr, *(b_leaves[name] for name in a_leaves))
    for one, other in zip(a_grads, b_grads, strict=True):
        assert_near(one, other, 10 * BOUND[dtype])


@by_layer
@given(directed_graphs(bipartite=True, loops=False))
def test_with_edge_features_two_sets_of_nodes_are_pygs_too(pyg: ModuleType, kind: Layer, graph: Drawn) -> None:
    assume(kind is TransformerConv or graph.m <= graph.n)  # PyG's fails on more targets than sources
    theirs = with_random_bias(getattr(pyg, kind.__name__)((3, 4), 2, heads=3, edge_dim=2)).double()
    ours = kind((3, 4), 2, heads=3, edge_dim=2).double()
    ours.load_state_dict(theirs.state_dict())
    x, edge_attr = (graph.randn(graph.n, 3), graph.randn(graph.m, 4, salt=1)), graph.randn(graph.num_edges, 2, salt=2)
    assert_near(ours(x, graph.edge_index, edge_attr), theirs(x, graph.edge_index, edge_attr), 1e-12)


@by_layer
@given(directed_graphs())
def test_edge_features_go_with_their_edges(kind: Layer, graph: Drawn) -> None:
    """Edges in another order give the same output, and each its own attention; given loops keep their features."""
    torch.manual_seed(0)
    layer, x = kind(3, 2, heads=3, edge_dim=2).double(), graph.randn(graph.n, 3)
    edge_attr = graph.randn(graph.num_edges, 2, salt=1)
    out, (edges, attention) = layer(x, graph.edge_index, edge_attr, return_attention_weights=True)
    moved = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(graph.seed))
    again, (_, other) = layer(x, graph.edge_index[:, moved], edge_attr[moved], return_attention_weights=True)
    assert_near(again, out, 1e-12)
    assert_near(other[: graph.num_edges], attention[moved], 1e-12)
    # The loops added, given outright with the mean of what arrives: a plain loop over the nodes.
    added = edges[0, graph.num_edges :].tolist()
    arriving = [edge_attr[graph.edge_index[1] == v] for v in added]
    means = [rows.mean(0, keepdim=True) if len(rows) else torch.zeros(1, 2, dtype=torch.float64) for rows in arriving]
    outright, (given_edges, _) = layer(x, edges, torch.cat([edge_attr, *means]), return_attention_weights=True)
    assert torch.equal(given_edges, edges)
    assert_near(outright, out, 1e-12)


@by_layer
def test_gradients_with_edge_features_equal_finite_differences(heads: None, kind: Layer) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 2, heads=3, edge_dim=2).double(), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    edge_attr = torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, e: layer(x, EDGES, e), (x, edge_attr))
    assert torch.autograd.gradgradcheck(lambda x, e: layer(x, EDGES, e).square(), (x, edge_attr))


@by_layer
def test_edge_features_of_no_edges_and_in_bfloat16(kind: Layer) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 2, heads=3, edge_dim=2), torch.randn(600, 3)
    assert layer(x, EDGES[:, :0], torch.zeros(0, 2)).isfinite().all()
    star = torch.stack([torch.arange(600), torch.zeros(600, dtype=torch.int64)])
    edge_attr = torch.randn(600, 2)
    exact, ours = layer(x, star, edge_attr), layer.bfloat16()(x.bfloat16(), star, edge_attr.bfloat16())
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), exact, rtol=2**-4, atol=2**-5)


@by_layer
def test_without_edge_dim_nothing_is_drawn_or_stored(kind: Layer) -> None:
    """And with it, what is drawn besides comes last: the other weights are those of the same seed."""
    torch.manual_seed(0)
    plain = kind(3, 2).state_dict()
    torch.manual_seed(0)
    with_features = kind(3, 2, edge_dim=4).state_dict()
    assert not [name for name in plain if "edge" in name]
    assert all(torch.equal(with_features[name], value) for name, value in plain.items())


@by_layer
@given(directed_graphs())
def test_attention_comes_back_in_the_order_of_the_edges_given(kind: Layer, graph: Drawn) -> None:
    """And rebuilds the output: Σ α_uv · value_u over the edges returned, in a plain loop."""
    layer, x = layer_of(kind), graph.randn(graph.n, 3)
    out, (edges, attention) = layer(x, graph.edge_index, return_attention_weights=True)
    looped = graph.edge_index if kind is TransformerConv else add_self_loops(graph.edge_index, graph.n)
    assert torch.equal(edges, looped)
    value = {GATConv: "lin", GATv2Conv: "lin_l", TransformerConv: "lin_value"}[kind]
    values = getattr(layer, value)(x).view(-1, 3, 2)
    rebuilt = torch.zeros(graph.n, 3, 2, dtype=torch.float64)
    for (u, v), alpha in zip(edges.T.tolist(), attention, strict=True):
        rebuilt[v] += alpha[:, None] * values[u]
    added = layer.lin_skip(x) if kind is TransformerConv else layer.bias
    assert_near(out, rebuilt.flatten(1) + added, 1e-12)
    shuffled = torch.randperm(edges.shape[1], generator=torch.Generator().manual_seed(graph.seed))
    again, (_, moved) = layer(x, edges[:, shuffled], return_attention_weights=True)
    assert_near(again, out, 1e-12)
    assert_near(moved, attention[shuffled], 1e-12)


@by_layer
def test_what_is_returned_can_be_changed_without_harm(kind: Layer) -> None:
    layer, x, edge_index = layer_of(kind), torch.randn(5, 3, dtype=torch.float64), EDGES.clone()
    before, (edges, _) = layer(x, edge_index, return_attention_weights=True)
    edges.zero_()
    assert torch.equal(layer(x, edge_index), before)


@by_layer
@given(directed_graphs())
def test_relabeling_the_nodes_relabels_the_output(kind: Layer, graph: Drawn) -> None:
    layer, x = layer_of(kind), graph.randn(graph.n, 3)
    perm = torch.randperm(graph.n, generator=torch.Generator().manual_seed(graph.seed))
    ours = layer(x[perm], torch.argsort(perm)[graph.edge_index])
    assert_near(ours, layer(x, graph.edge_index)[perm], 1e-12)


@by_layer
def test_gradients_equal_finite_differences(kind: Layer) -> None:
    layer, x = layer_of(kind), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, EDGES), x)
    assert torch.autograd.gradgradcheck(lambda x: layer(x, EDGES).square(), x)


@pytest.mark.parametrize("causal", [False, True])
def test_transformer_layer_on_the_complete_graph_is_dot_product_attention(causal: bool) -> None:
    """Outputs, and gradients of all weights, against torch.nn.functional.scaled_dot_product_attention."""
    layer, x = layer_of(TransformerConv), torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    ours = layer(x, complete_graph(6, causal=causal))
    query, key, value = (getattr(layer, name)(x).view(6, 3, 2).transpose(0, 1) for name in ("lin_query", "lin_key", "lin_value"))
    attended = F.scaled_dot_product_attention(query, key, value, is_causal=causal).transpose(0, 1).flatten(1)
    theirs = attended + layer.lin_skip(x)
    assert_near(ours, theirs, 1e-12)
    for a, b in zip(gradients(ours, x, *layer.parameters()), gradients(theirs, x, *layer.parameters()), strict=True):
        assert_near(a, b, 1e-12)


def test_gat_ranks_neighbors_alike_for_every_node_and_gatv2_need_not() -> None:
    x, edge_index = torch.randn(8, 3, dtype=torch.float64), complete_graph(8)

    def rankings(kind: Layer) -> int:
        torch.manual_seed(3)
        _, (_, attention) = kind(3, 8).double()(x, edge_index, return_attention_weights=True)
        return len(attention.view(8, 8).argsort(dim=1).unique(dim=0))

    assert rankings(GATConv) == 1
    assert rankings(GATv2Conv) > 1


@by_layer
def test_dropout_scales_what_it_keeps_and_rests_in_evaluation(kind: Layer) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 4, dropout=0.5).double(), torch.randn(5, 3, dtype=torch.float64)
    calm = copy.deepcopy(layer).eval()
    mean = torch.stack([layer(x, EDGES) for _ in range(3000)]).mean(0)
    assert (mean - calm(x, EDGES)).abs().max() < 0.1
    assert not torch.equal(layer(x, EDGES), layer(x, EDGES))
    assert torch.equal(calm(x, EDGES), calm(x, EDGES))
    _, (_, attention) = layer(x, complete_graph(5), return_attention_weights=True)
    assert (attention > 0).all()  # as it was before dropout


@by_layer
def test_no_edges_isolated_nodes_and_lazy_width(kind: Layer) -> None:
    layer, x = kind(-1, 2, heads=3), torch.randn(5, 3)
    out = layer(x, torch.zeros(2, 0, dtype=torch.int64))
    assert out.shape == (5, 6)
    assert out.isfinite().all()
    out.sum().backward()
    assert kind(3, 2)(x[:0], torch.zeros(2, 0, dtype=torch.int64)).shape == (0, 2)
    if kind is not TransformerConv:
        alone = kind(3, 2, add_self_loops=False)(x, EDGES)
        assert torch.equal(alone[2], torch.zeros(2))


@by_layer
def test_bfloat16_is_near_float32(kind: Layer) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 2, heads=3), torch.randn(600, 3)
    star = torch.stack([torch.arange(600), torch.zeros(600, dtype=torch.int64)])
    exact, ours = layer(x, star), layer.bfloat16()(x.bfloat16(), star)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), exact, rtol=2**-4, atol=2**-5)


@by_layer
def test_evaluation_first_then_training(kind: Layer) -> None:
    layer, x, edge_index = kind(3, 2), torch.randn(5, 3), EDGES.clone()
    with torch.inference_mode():
        layer(x, edge_index)
    layer(x, edge_index).sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@by_layer
def test_torch_compile_gives_the_same(kind: Layer) -> None:
    """As a whole: without added loops, whose number depends on the values, nothing breaks the graph."""
    torch.compiler.reset()
    layer, x = layer_of(kind), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    ours, theirs = torch.compile(layer, backend="aot_eager")(x, EDGES), layer(x, EDGES)
    assert_near(ours, theirs, 1e-12)
    assert_near(gradients(ours, x)[0], gradients(theirs, x)[0], 1e-12)


@by_layer
@pytest.mark.parametrize(
    ("x", "edge_index", "message"),
    [
        (torch.zeros(3, 3), torch.tensor([[0], [7]]), "target 7 at edge 0, but there are 3 nodes"),
        (torch.zeros(3, 3), torch.tensor([[-1], [0]]), "source -1 at edge 0"),
        (torch.zeros(3, 3), torch.zeros(2, 1), "dtype torch.int64, not torch.float32"),
        (torch.full((3, 3), torch.nan), torch.tensor([[0], [1]]), "x is NaN"),
    ],
)
def test_bad_input_is_one_clear_line(kind: Layer, x: Tensor, edge_index: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        kind(3, 2)(x, edge_index)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="heads 0"):
        kind(3, 2, heads=0)


@by_layer
@pytest.mark.parametrize(
    ("edge_dim", "edge_attr", "message"),
    [
        (2, torch.zeros(3, 2), r"edge_attr must have shape \(7, 2\), .* has \(3, 2\)"),
        (2, torch.zeros(7, 3), r"edge_attr must have shape \(7, 2\), .* has \(7, 3\)"),
        (2, torch.zeros(7, 2, dtype=torch.int64), r"edge_attr must have a floating-point dtype, not torch\.int64.*\.float\(\)"),
        (2, torch.full((7, 2), torch.nan), r"edge_attr is NaN at \[0, 0\]"),
        (2, None, r"edge_dim 2, but there is no edge_attr: pass features \(7, 2\)"),
        (None, torch.zeros(7, 2), "the layer has no edge_dim, but there is an edge_attr"),
    ],
)
def test_bad_edge_features_are_one_clear_line(kind: Layer, edge_dim: int | None, edge_attr: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        kind(3, 2, edge_dim=edge_dim)(torch.zeros(5, 3), EDGES, edge_attr)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=f"{kind.__name__}: edge_dim 0"):
        kind(3, 2, edge_dim=0)


# What PyG 2.8.1 does.


@pytest.mark.parametrize("kind", [GATConv, GATv2Conv], ids=["GATConv", "GATv2Conv"])
def test_pyg_returns_attention_on_edges_it_moved(pyg: ModuleType, kind: Layer) -> None:
    """A loop given first is dropped and one appended: its attention is last. Here every edge given keeps its place."""
    edge_index, x = torch.tensor([[0, 1, 0], [0, 0, 1]]), torch.randn(2, 3, dtype=torch.float64)
    theirs, ours = getattr(pyg, kind.__name__)(3, 2).double(), kind(3, 2).double()
    ours.load_state_dict(theirs.state_dict())
    _, (their_edges, their_attention) = theirs(x, edge_index, return_attention_weights=True)
    _, (our_edges, our_attention) = ours(x, edge_index, return_attention_weights=True)
    assert their_edges.T.tolist() == [[1, 0], [0, 1], [0, 0], [1, 1]]
    assert our_edges.T.tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert_near(our_attention, their_attention[[2, 0, 1, 3]], 1e-12)


@pytest.mark.parametrize("kind", [GATConv, GATv2Conv], ids=["GATConv", "GATv2Conv"])
def test_pyg_drops_all_but_one_of_several_self_loops(pyg: ModuleType, kind: Layer) -> None:
    edge_index, x = torch.tensor([[0, 0, 1], [0, 0, 0]]), torch.randn(2, 3, dtype=torch.float64)
    theirs, ours = getattr(pyg, kind.__name__)(3, 2).double(), kind(3, 2).double()
    ours.load_state_dict(theirs.state_dict())
    assert (ours(x, edge_index) - theirs(x, edge_index)).abs().max() > 1e-3
    assert_near(ours(x, edge_index[:, 1:]), theirs(x, edge_index), 1e-12)


@pytest.mark.parametrize("kind", [GATConv, GATv2Conv], ids=["GATConv", "GATv2Conv"])
def test_pyg_drops_the_features_of_self_loops(pyg: ModuleType, kind: Layer) -> None:
    """A loop given has features that no one sees: it gets the mean of the other edges'. Here it keeps its own."""
    edge_index, x = torch.tensor([[0, 1, 0], [0, 0, 1]]), torch.randn(2, 3, dtype=torch.float64)
    edge_attr, other = (torch.tensor([[e], [1.0], [-2.0]], dtype=torch.float64) for e in (5.0, 1.0))
    theirs, ours = getattr(pyg, kind.__name__)(3, 2, edge_dim=1).double(), kind(3, 2, edge_dim=1).double()
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(theirs(x, edge_index, edge_attr), theirs(x, edge_index, other))
    assert (ours(x, edge_index, edge_attr) - ours(x, edge_index, other)).abs().max() > 1e-6
    assert_near(ours(x, edge_index, other), theirs(x, edge_index, edge_attr), 1e-12)  # 1 is that mean


@pytest.mark.parametrize("kind", [GATConv, GATv2Conv], ids=["GATConv", "GATv2Conv"])
def test_pyg_fails_on_edge_features_where_targets_outnumber_sources(pyg: ModuleType, kind: Layer) -> None:
    """Its loops' features are counted by the smaller of the two sets."""
    x, edge_index = (torch.randn(2, 3), torch.randn(4, 3)), torch.tensor([[0, 1, 0], [3, 0, 1]])
    theirs, ours = getattr(pyg, kind.__name__)((3, 3), 2, edge_dim=1), kind((3, 3), 2, edge_dim=1)
    ours.load_state_dict(theirs.state_dict())
    with pytest.raises(RuntimeError, match="index 3 is out of bounds"):
        theirs(x, edge_index, torch.ones(3, 1))
    assert ours(x, edge_index, torch.ones(3, 1)).shape == (4, 2)
