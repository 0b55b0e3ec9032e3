"""Oracles: D⁻¹ A H Wᵀ + H Bᵀ with dense matrices, and PyG's SAGEConv and GraphConv with the same weights."""

import copy
import itertools
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from support.graphs import Drawn, assert_near, directed_graphs, gradients, with_random_bias
from torch import Tensor

from erlangen.nn.graph.algebra import adjacency, is_symmetric
from erlangen.nn.graph.convolution import Form, GraphConvolution

FORMS: tuple[Form, ...] = ("index", "message", "matrix")
BOUND = {torch.float32: 1e-6, torch.float64: 1e-12}
EDGES = torch.tensor([[0, 2, 2, 1, 4, 0, 2], [1, 0, 0, 1, 3, 3, 4]])  # directed; multi-edge, self-loop; 2 has no incoming edge
by_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def pyg() -> ModuleType:
    return pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")


def layer_of(form: Form, in_channels: int | tuple[int, int], out_channels: int, dtype: torch.dtype) -> GraphConvolution:
    torch.manual_seed(0)
    return GraphConvolution(in_channels, out_channels, form=form, activation=torch.tanh).to(dtype)


def dense(layer: GraphConvolution, x: tuple[Tensor, Tensor], edge_index: Tensor, weight: Tensor) -> Tensor:
    """The equation, word for word."""
    size = (len(x[1]), len(x[0]))
    a = torch.zeros(size, dtype=weight.dtype).index_put((edge_index[1], edge_index[0]), weight, accumulate=True)
    degree = torch.tensor([int((edge_index[1] == v).sum()) for v in range(size[0])]).clamp(min=1)
    mean = torch.diag(1 / degree.to(weight.dtype)) @ a @ x[0]
    w, b, bias = layer.lin_neighbors.weight, layer.lin_self.weight, layer.lin_neighbors.bias
    return torch.tanh(mean @ w.T + bias + x[1] @ b.T)


@pytest.mark.parametrize("out_channels", [2, 5], ids=["narrower", "wider"])
@given(directed_graphs(bipartite=True), st.booleans())
def test_three_forms_and_their_gradients_are_equal(dtype: torch.dtype, out_channels: int, graph: Drawn, weighted: bool) -> None:
    source = graph.randn(graph.n, 3, dtype=dtype).requires_grad_()
    target = graph.randn(graph.m, 4, dtype=dtype, salt=1).requires_grad_()
    ones = torch.ones(graph.num_edges, dtype=dtype)
    weight = (graph.randn(graph.num_edges, dtype=dtype, salt=2) if weighted else ones).requires_grad_()
    results = []
    for form in (*FORMS, None):
        layer = layer_of(form or "index", (3, 4), out_channels, dtype)
        if form is None:
            out = dense(layer, (source, target), graph.edge_index, weight)
        else:
            out = layer((source, target), graph.edge_index, weight if weighted else None)
        leaves = (source, target, *layer.parameters(), *((weight,) if weighted else ()))
        results.append((out, *gradients(out, *leaves)))
    for one, other in itertools.combinations(results, 2):
        for a, b in zip(one, other, strict=True):
            assert a.dtype == b.dtype == dtype
            assert_near(a, b, BOUND[dtype])


@by_form
@given(directed_graphs())
def test_without_weights_it_is_pygs_sageconv(pyg: ModuleType, dtype: torch.dtype, form: Form, graph: Drawn) -> None:
    theirs = pyg.SAGEConv(3, 2).to(dtype)
    ours = GraphConvolution(3, 2, form=form).to(dtype)
    names = {"lin_neighbors.weight": "lin_l.weight", "lin_neighbors.bias": "lin_l.bias", "lin_self.weight": "lin_r.weight"}
    ours.load_state_dict({name: theirs.state_dict()[other] for name, other in names.items()})
    x = graph.randn(graph.n, 3, dtype=dtype).requires_grad_()
    a, b = ours(x, graph.edge_index), theirs(x, graph.edge_index)
    assert_near(a, b, BOUND[dtype])
    assert_near(gradients(a, x)[0], gradients(b, x)[0], BOUND[dtype])


@by_form
@given(directed_graphs(bipartite=True))
def test_with_weights_it_is_pygs_graphconv_mean(pyg: ModuleType, dtype: torch.dtype, form: Form, graph: Drawn) -> None:
    theirs = pyg.GraphConv((3, 4), 2, aggr="mean").to(dtype)
    ours = GraphConvolution((3, 4), 2, form=form).to(dtype)
    with pytest.raises(RuntimeError, match="Missing key"):  # the weights of a sum must not become those of a mean unnoticed
        ours.load_state_dict(theirs.state_dict())
    renamed = {name.replace("rel", "neighbors").replace("root", "self"): value for name, value in theirs.state_dict().items()}
    ours.load_state_dict(renamed)
    x = graph.randn(graph.n, 3, dtype=dtype).requires_grad_(), graph.randn(graph.m, 4, dtype=dtype, salt=1)
    weight = graph.randn(graph.num_edges, dtype=dtype, salt=2).requires_grad_()
    a, b = ours(x, graph.edge_index, weight), theirs(x, graph.edge_index, weight)
    assert_near(a, b, BOUND[dtype])
    for one, other in zip(gradients(a, x[0], weight), gradients(b, x[0], weight), strict=True):
        assert_near(one, other, BOUND[dtype])


def test_a_wrong_direction_is_invisible_on_a_symmetric_graph_and_seen_on_a_directed_one(pyg: ModuleType) -> None:
    """PyG's own layer with its flow turned round: no difference where every edge goes both ways."""
    right, wrong = pyg.SAGEConv(3, 2), pyg.SAGEConv(3, 2, flow="target_to_source")
    wrong.load_state_dict(right.state_dict())
    ours, x = GraphConvolution(3, 2), torch.randn(5, 3)
    symmetric = torch.cat([EDGES, EDGES.flip(0)], dim=1)
    assert is_symmetric(symmetric, 5)
    torch.testing.assert_close(right(x, symmetric), wrong(x, symmetric))
    torch.testing.assert_close(ours(x, symmetric), ours(x, symmetric.flip(0)))
    assert not is_symmetric(EDGES, 5)
    assert (right(x, EDGES) - wrong(x, EDGES)).abs().max() > 0.01
    assert (ours(x, EDGES) - ours(x, EDGES.flip(0))).abs().max() > 0.01


def test_w_and_b_untransposed_are_another_layer() -> None:
    """Square weights fit either way: only the numbers tell W from Wᵀ."""
    layer, x = layer_of("matrix", 3, 3, torch.float64), torch.randn(5, 3, dtype=torch.float64)
    a = adjacency(EDGES, 5).double()
    mean = a / a.sum(1, keepdim=True).clamp(min=1) @ x
    right = torch.tanh(mean @ layer.lin_neighbors.weight.T + layer.lin_neighbors.bias + x @ layer.lin_self.weight.T)
    wrong = torch.tanh(mean @ layer.lin_neighbors.weight + layer.lin_neighbors.bias + x @ layer.lin_self.weight)
    assert_near(layer(x, EDGES), right, 1e-12)
    assert (layer(x, EDGES) - wrong).abs().max() > 0.01


@by_form
def test_gradients_equal_finite_differences(form: Form) -> None:
    layer = layer_of(form, 3, 2, torch.float64)
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: layer(x, EDGES, w), (x, weight))
    assert torch.autograd.gradgradcheck(lambda x, w: layer(x, EDGES, w), (x, weight))


@pytest.mark.parametrize("out_channels", [2, 3, 5], ids=["narrower", "as wide", "wider"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("bias", "root_weight"), [(True, True), (True, False), (False, True)])
def test_matrix_form_by_finite_differences_in_all_its_inputs(
    out_channels: int, weighted: bool, bias: bool, root_weight: bool
) -> None:
    """First and second derivatives, in the weights too, of one set of nodes and of two."""
    torch.manual_seed(0)
    layer = GraphConvolution(3, out_channels, bias=bias, root_weight=root_weight).double()
    x, other = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (5, 5))
    weight = torch.randn(7, dtype=torch.float64, requires_grad=True)
    names = list(dict(layer.named_parameters()))

    def convolve(pair: bool, x: Tensor, other: Tensor, weight: Tensor, *parameters: Tensor) -> Tensor:
        nodes, edges = (x, other) if pair else x, weight if weighted else None
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (nodes, EDGES, edges))

    for pair in (False, True):
        inputs = (x, other, weight, *layer.parameters())
        assert torch.autograd.gradcheck(lambda *args, pair=pair: convolve(pair, *args), inputs)
        assert torch.autograd.gradgradcheck(lambda *args, pair=pair: convolve(pair, *args), inputs)


@pytest.mark.parametrize("pair", [False, True], ids=["one set", "two sets"])
def test_each_gradient_alone_is_what_it_is_among_all(pair: bool) -> None:
    """The backward pass skips what nobody asks for."""
    layer, weight = layer_of("matrix", 3, 3, torch.float64), torch.randn(7, dtype=torch.float64, requires_grad=True)
    ends = tuple(torch.randn(5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2 if pair else 1))
    leaves = (*ends, weight, *layer.parameters())
    out = layer(ends if pair else ends[0], EDGES, weight)
    together = gradients(out, *leaves)
    for leaf, grad in zip(leaves, together, strict=True):
        assert grad.abs().max() > 0
        out = layer(ends if pair else ends[0], EDGES, weight)
        assert_near(gradients(out, leaf)[0], grad, 1e-12)


def test_neither_pass_changes_what_it_was_given() -> None:
    layer, x, grad = layer_of("matrix", 3, 3, torch.float64), torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3).double()
    layer.activation, weight = None, torch.rand(7, dtype=torch.float64)
    before = [tensor.detach().clone() for tensor in (x, grad, weight, *layer.parameters())]
    layer(x.requires_grad_(), EDGES, weight.requires_grad_()).backward(grad)
    for now, then in zip((x, grad, weight, *layer.parameters()), before, strict=True):
        assert torch.equal(now, then)


def test_matrix_form_calls_its_parts_where_a_hook_waits_or_autocast_reigns() -> None:
    layer, x, seen = layer_of("matrix", 3, 3, torch.float32), torch.randn(5, 3), []
    alone = layer(x, EDGES)
    handles = [part.register_forward_hook(lambda part, *_: seen.append(part)) for part in (layer.lin_neighbors, layer.lin_self)]
    torch.testing.assert_close(layer(x, EDGES), alone)
    assert seen == [layer.lin_neighbors, layer.lin_self]
    for handle in handles:
        handle.remove()
    layer.lin_self = _Doubled(3, 3, bias=False)
    assert_near(layer(x, EDGES), GraphConvolution.update(layer, _mean(x), x), 1e-6)
    layer = layer_of("matrix", 3, 3, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = layer(x, EDGES)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), alone, rtol=2**-5, atol=2**-5)


@pytest.mark.parametrize("out_channels", [2, 3, 5])
def test_weights_of_another_precision_leave_that_of_the_output(out_channels: int) -> None:
    layer, x, weight = GraphConvolution(3, out_channels), torch.randn(5, 3), torch.rand(7, dtype=torch.float64)
    out = layer(x, EDGES, weight)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, layer(x, EDGES, weight.float()))


@by_form
@given(directed_graphs())
def test_relabeling_the_nodes_relabels_the_output(form: Form, graph: Drawn) -> None:
    layer = layer_of(form, 3, 2, torch.float64)
    x, weight = graph.randn(graph.n, 3), graph.randn(graph.num_edges, salt=1)
    perm = torch.randperm(graph.n, generator=torch.Generator().manual_seed(graph.seed))
    new_name = torch.argsort(perm)
    ours = layer(x[perm], new_name[graph.edge_index], weight)
    assert_near(ours, layer(x, graph.edge_index, weight)[perm], 1e-12)


@by_form
def test_nodes_without_neighbors_see_themselves_alone(form: Form) -> None:
    layer, x = layer_of(form, 3, 2, torch.float64), torch.randn(5, 3, dtype=torch.float64)
    alone = torch.tanh(layer.lin_neighbors.bias + x @ layer.lin_self.weight.T)
    assert_near(layer(x, torch.zeros(2, 0, dtype=torch.int64)), alone, 1e-12)
    assert_near(layer(x, EDGES)[2], alone[2], 1e-12)
    assert layer(x[:0], torch.zeros(2, 0, dtype=torch.int64)).shape == (0, 2)


@by_form
def test_input_width_is_taken_from_the_first_input(form: Form) -> None:
    lazy = GraphConvolution((-1, -1), 2, form=form)
    out = lazy((torch.randn(5, 3), torch.randn(5, 4)), EDGES)
    assert out.shape == (5, 2)
    assert (lazy.lin_neighbors.in_features, lazy.lin_self.in_features) == (3, 4)
    out.sum().backward()
    again = GraphConvolution(-1, 2, form=form)
    again.load_state_dict(GraphConvolution(3, 2).state_dict())
    assert copy.deepcopy(again)(torch.randn(5, 3), EDGES).shape == (5, 2)


@by_form
@pytest.mark.parametrize("weighted", [False, True])
def test_bfloat16_is_near_float64(form: Form, weighted: bool) -> None:
    """A hub of 1000 neighbors whose mean is 1: sums added up in bfloat16 would stall at 256."""
    layer = GraphConvolution(1, 1, form=form, bias=False)
    with torch.no_grad():
        layer.lin_neighbors.weight.fill_(1)
        layer.lin_self.weight.fill_(0)
    edge_index = torch.stack([torch.arange(1, 1001), torch.zeros(1000, dtype=torch.int64)])
    weight = torch.ones(1000).bfloat16() if weighted else None
    out = layer.bfloat16()(torch.ones(1001, 1).bfloat16(), edge_index, weight)
    assert out.dtype == torch.bfloat16
    assert out[0].item() == 1


@by_form
@pytest.mark.parametrize("weighted", [False, True])
def test_torch_compile_takes_it_whole(form: Form, weighted: bool) -> None:
    """As one graph (the eager back end: no C++ compiler is asked for)."""
    torch.compiler.reset()
    layer, x = layer_of(form, 3, 2, torch.float32), torch.randn(5, 3, requires_grad=True)
    weight = torch.rand(7) if weighted else None
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    ours, theirs = compiled(x, EDGES, weight), layer(x, EDGES, weight)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients(ours, x, *layer.parameters()), gradients(theirs, x, *layer.parameters()))


@pytest.mark.slow
def test_torch_compile_builds_the_index_form() -> None:
    torch.compiler.reset()
    layer, x = layer_of("index", 3, 2, torch.float32), torch.randn(5, 3, requires_grad=True)
    ours, theirs = torch.compile(layer, fullgraph=True)(x, EDGES), layer(x, EDGES)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients(ours, x), gradients(theirs, x))


@by_form
@pytest.mark.parametrize(
    ("x", "edge_index", "weight", "message"),
    [
        (torch.zeros(3, 3), torch.tensor([[0, 7], [1, 1]]), None, "source 7 at edge 1, but there are 3 nodes"),
        (torch.zeros(3, 3), torch.tensor([[0], [1]]).short(), None, r"torch\.int16.*\.long\(\)"),
        (torch.zeros(3, 3), torch.tensor([[0], [1]]), torch.ones(2), r"edge_weight must have shape \(1,\), .* has \(2,\)"),
        (torch.full((3, 3), torch.nan), torch.tensor([[0], [1]]), None, r"x is NaN at \[0, 0\]"),
    ],
)
def test_bad_input_is_one_clear_line(form: Form, x: Tensor, edge_index: Tensor, weight: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        GraphConvolution(3, 2, form=form)(x, edge_index, weight)
    assert "\n" not in str(error.value)


def test_an_unknown_form_is_refused_and_no_activation_is_the_default() -> None:
    with pytest.raises(ValueError, match="choose one of index, message, matrix"):
        GraphConvolution(3, 2, form="dense")
    layer, x = with_random_bias(GraphConvolution(3, 2)), torch.randn(5, 3)
    torch.testing.assert_close(F.relu(layer(x, EDGES)), _activated(layer, F.relu)(x, EDGES))
    assert (layer(x, EDGES) < 0).any()


class _Doubled(torch.nn.Linear):
    """A layer of the user's in place of a linear one: its weights do not tell what it does."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def _mean(x: Tensor) -> Tensor:
    a = adjacency(EDGES, len(x)).to(x.dtype)
    return a / a.sum(1, keepdim=True).clamp(min=1) @ x


def _activated(layer: GraphConvolution, activation) -> GraphConvolution:
    other = GraphConvolution(3, 2, activation=activation)
    other.load_state_dict(layer.state_dict())
    return other
