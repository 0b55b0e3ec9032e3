"""The Transformer over edges: both forms against each other, and against torch's own under the graph as a mask."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from support.graphs import Drawn, assert_near, directed_graphs, gradients, with_random_bias
from torch import Tensor, nn

from erlangen.data.graphs import karate_club
from erlangen.models.graph_transformer import (
    BlockConfig,
    GraphTransformer,
    GraphTransformerConfig,
    TransformerBlock,
    dense_attention,
    log_adjacency,
)
from erlangen.nn.graph.algebra import add_self_loops, adjacency, complete_graph
from erlangen.nn.graph.transformer_conv import TransformerConv


@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("root_weight", [True, False])
def test_dense_attention_is_the_convolution_over_edges(concat: bool, root_weight: bool) -> None:
    @settings(max_examples=25)
    @given(directed_graphs())
    def check(graph: Drawn) -> None:
        torch.manual_seed(graph.seed)
        layer = TransformerConv(3, 4, 2, concat=concat, root_weight=root_weight).double()
        x = graph.randn(graph.n, 3).requires_grad_()
        added = log_adjacency(graph.edge_index, graph.n, torch.float64)
        outputs = [layer(x, graph.edge_index), dense_attention(layer, x, added)]
        assert_near(outputs[1], outputs[0], 1e-10)
        leaves = (x, *layer.parameters())
        for ours, theirs in zip(*(gradients(y, *leaves) for y in outputs), strict=True):
            assert_near(theirs, ours, 1e-10)

    check()


@pytest.mark.parametrize("norm_first", [True, False])
def test_both_forms_of_the_network_are_equal(norm_first: bool) -> None:
    """The network as it is trained, along a graph's edges and to everyone."""
    graph = karate_club()
    for edges in (add_self_loops(graph.edge_index, 34), complete_graph(34)):
        found = []
        for form in ("edges", "dense"):
            torch.manual_seed(0)
            block = BlockConfig(width=16, heads=4, hidden=12, norm_first=norm_first)
            net = GraphTransformer(GraphTransformerConfig(in_features=34, classes=3, block=block, form=form))
            x = graph.x.double().requires_grad_()
            logits = with_random_bias(net).double()(x, edges)
            found.append((logits, *gradients(logits, x, *net.parameters())))
        for ours, theirs in zip(*found, strict=True):
            assert_near(theirs, ours, 1e-10)


def random_layer(heads: int, norm_first: bool, **options: object) -> nn.TransformerEncoderLayer:
    torch.manual_seed(heads)
    layer = nn.TransformerEncoderLayer(8, heads, 12, 0.0, norm_first=norm_first, batch_first=True, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return layer


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_a_block_is_torchs_layer_with_the_graph_as_its_mask(heads: int, norm_first: bool) -> None:
    theirs = random_layer(heads, norm_first)
    block = TransformerBlock.of_torch(theirs)

    @settings(max_examples=25)
    @given(directed_graphs())
    def check(graph: Drawn) -> None:
        edges = torch.unique(add_self_loops(graph.edge_index, graph.n), dim=1)  # torch's mask knows no multi-edges
        h = graph.randn(graph.n, 8).requires_grad_()
        expected = theirs(h[None], src_mask=adjacency(edges, graph.n) == 0)[0]
        gradient = gradients(expected, h)[0]
        for added in (None, log_adjacency(edges, graph.n, torch.float64)):
            actual = block(h, edges, added)
            assert_near(actual, expected, 1e-11)
            assert_near(gradients(actual, h)[0], gradient, 1e-10)

    check()


def test_an_edge_that_occurs_twice_counts_twice() -> None:
    layer = TransformerConv(2, 2, root_weight=False).double()
    x, once = torch.randn(2, 2, dtype=torch.float64), torch.tensor([[0, 1], [1, 1]])
    with torch.no_grad():
        layer.lin_key.weight.zero_()  # equal scores: the mean of what arrives
        layer.lin_key.bias.zero_()
        out = dense_attention(layer, x, log_adjacency(once[:, [0, 0, 1]], 2, torch.float64))[1]
        values = layer.lin_value(x)
    assert_near(out, (2 * values[0] + values[1]) / 3, 1e-12)


def test_of_torch_copies_and_refuses() -> None:
    theirs = random_layer(2, True).eval()
    block = TransformerBlock.of_torch(theirs)
    assert not block.training
    with torch.no_grad():
        theirs.linear1.weight.zero_()
        theirs.self_attn.in_proj_weight.zero_()
    assert all(bool(parameter.any()) for parameter in block.parameters())
    for options in ({"activation": "gelu"}, {"bias": False}):
        with pytest.raises(ValueError, match="activation 'relu' and bias=True"):
            TransformerBlock.of_torch(random_layer(2, False, **options))


def test_eps_and_dropout_come_along() -> None:
    theirs = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.25, layer_norm_eps=0.5)
    block = TransformerBlock.of_torch(theirs).eval()
    assert block.config.dropout == 0.25
    h = torch.randn(5, 4)
    torch.testing.assert_close(block(h, complete_graph(5)), theirs.eval()(h[:, None])[:, 0])


def network(depth: int = 2, **options: float) -> GraphTransformer:
    torch.manual_seed(0)
    block = BlockConfig(width=8, heads=2, hidden=8, norm_first=True, **options)  # type: ignore[arg-type]
    return GraphTransformer(GraphTransformerConfig(in_features=4, classes=3, depth=depth, block=block))


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_node_sees_as_far_as_the_net_is_deep(depth: int) -> None:
    line = add_self_loops(torch.stack([torch.arange(9), torch.arange(1, 10)]), 10)
    net, x = network(depth).eval(), torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    moved = x.clone()
    moved[0] += 1
    changed = (net(x, line) != net(moved, line)).any(1)
    assert changed.tolist() == [node <= depth for node in range(10)]


def test_attention_is_that_of_evaluation_and_adds_up_to_one() -> None:
    net, edges = network(dropout=0.9), add_self_loops(karate_club().edge_index, 34)
    x = torch.randn(34, 4)
    found = net.attention(x, edges)
    assert net.training
    for weight, again in zip(found, net.eval().attention(x, edges), strict=True):
        assert weight.shape == (156 + 34, 2)
        assert torch.equal(weight, again)
        torch.testing.assert_close(torch.zeros(34, 2).index_add(0, edges[1], weight), torch.ones(34, 2))


def test_attention_of_the_second_block_is_what_it_is_inside() -> None:
    """Taken from the block while the network runs."""
    net, edges = network().eval(), add_self_loops(karate_club().edge_index, 34)
    x, seen = torch.randn(34, 4), []
    layer = net.blocks[1].attention
    layer.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    net(x, edges)
    inside: Tensor = layer(seen[0], edges, return_attention_weights=True)[1][1]
    torch.testing.assert_close(net.attention(x, edges)[1], inside, rtol=0, atol=0)


def test_dropout_drops_in_training_alone() -> None:
    net, x, edges = network(dropout=0.5), torch.randn(6, 4), complete_graph(6)
    assert not torch.equal(net(x, edges), net(x, edges))
    net.eval()
    assert torch.equal(net(x, edges), net(x, edges))


def test_faulty_configurations_are_refused() -> None:
    with pytest.raises(ValueError, match="width 10 must be a multiple of heads, 4"):
        BlockConfig(width=10, heads=4)
    with pytest.raises(ValueError, match="choose one of edges, dense"):
        GraphTransformerConfig(in_features=3, classes=2, form="sparse")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there are 3 nodes"):
        log_adjacency(complete_graph(4), 3)


def test_dense_attention_refuses_a_layer_that_wants_features_of_edges() -> None:
    layer, x = TransformerConv(4, 2, 2, edge_dim=3), torch.randn(5, 4)
    with pytest.raises(ValueError, match="edge_dim 3"):
        dense_attention(layer, x, log_adjacency(complete_graph(5), 5))
