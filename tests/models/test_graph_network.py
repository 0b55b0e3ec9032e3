"""The graph network: what its attention adds up to, what a frozen one is, and which neighbors a node can see."""

import pytest
import torch

from erlangen.data.graphs import karate_club
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.nn.graph.algebra import in_degree

LAYERS = ("gcn", "gat", "gatv2", "uniform")


def network(layer: str, depth: int = 2) -> GraphNetwork:
    torch.manual_seed(0)
    config = GraphNetworkConfig(layer=layer, in_features=34, classes=3, width=8, heads=2, depth=depth)  # type: ignore[arg-type]
    return GraphNetwork(config).eval()


@pytest.mark.parametrize("layer", LAYERS)
def test_logits_commute_with_relabeling(layer: str) -> None:
    graph, net = karate_club(), network(layer).double()
    order = torch.randperm(34, generator=torch.Generator().manual_seed(1))
    place = torch.empty_like(order).scatter_(0, order, torch.arange(34))
    x = graph.x.double()
    torch.testing.assert_close(net(x[order], place[graph.edge_index]), net(x, graph.edge_index)[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_node_sees_as_far_as_the_net_is_deep(layer: str, depth: int) -> None:
    """On a line of nodes a change at one end reaches `depth` nodes and no further."""
    line = torch.stack([torch.arange(9), torch.arange(1, 10)])
    net, x = network(layer, depth), torch.randn(10, 34, generator=torch.Generator().manual_seed(0))
    moved = x.clone()
    moved[0] += 1
    changed = (net(x, line) != net(moved, line)).any(1)
    assert changed.tolist() == [node <= depth for node in range(10)]


@pytest.mark.parametrize("layer", LAYERS)
def test_attention_of_each_layer(layer: str) -> None:
    graph = karate_club()
    degree = in_degree(graph.edge_index, 34) + 1.0
    for (edges, weight), heads in zip(network(layer).attention(graph.x, graph.edge_index), (2, 1), strict=True):
        assert edges.shape == (2, 156 + 34)
        assert weight.shape == (190, 1 if layer == "gcn" else heads)
        total = torch.zeros(34, weight.shape[1]).index_add(0, edges[1], weight)
        if layer == "gcn":
            expected = 1 / (degree[edges[0]] * degree[edges[1]]).sqrt()
            torch.testing.assert_close(weight[:, 0], expected)
        else:
            torch.testing.assert_close(total, torch.ones_like(total))
        if layer == "uniform":
            torch.testing.assert_close(weight, (1 / degree[edges[1]])[:, None].expand_as(weight))


def test_uniform_is_a_gat_with_its_attention_frozen() -> None:
    frozen, gat = network("uniform"), network("gat")
    assert {name for name, p in frozen.named_parameters() if not p.requires_grad} == {
        f"layers.{layer}.{name}" for layer in (0, 1) for name in ("att_src", "att_dst")
    }
    assert {name: p.shape for name, p in frozen.named_parameters()} == {name: p.shape for name, p in gat.named_parameters()}


def test_attention_is_that_of_evaluation() -> None:
    graph, net = karate_club(), network("gat")
    expected = net.attention(graph.x, graph.edge_index)[1][1]
    x = net.activation(net.layers[0](graph.x, graph.edge_index))
    assert torch.equal(net.layers[1](x, graph.edge_index, return_attention_weights=True)[1][1], expected)


def test_widths_that_heads_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="width 10 must be a multiple of heads, 4"):
        GraphNetworkConfig(layer="gat", in_features=3, classes=2, width=10, heads=4)
    with pytest.raises(ValueError, match="choose one of gcn, gat, gatv2, uniform"):
        GraphNetworkConfig(layer="sage", in_features=3, classes=2)  # type: ignore[arg-type]
