"""The deep network's arms: who is heard, how wide, and that its first weights keep the signal's size."""

import math

import pytest
import torch
from torch import Tensor

from erlangen.data.graphs import karate_club
from erlangen.measure.smoothness import dirichlet_energy
from erlangen.models.deep_graph_network import DeepGraphNetwork, DeepGraphNetworkConfig

ARMS = ("none", "root", "loops", "wide", "residual", "normalized", "alone")


def network(arm: str, depth: int = 1, width: int = 16, seed: int = 0, **config: object) -> DeepGraphNetwork:
    torch.manual_seed(seed)
    described = DeepGraphNetworkConfig(arm=arm, in_features=12, classes=3, depth=depth, width=width, **config)  # type: ignore[arg-type]
    return DeepGraphNetwork(described).eval()


@pytest.mark.parametrize("arm", ARMS)
def test_who_is_heard(arm: str) -> None:
    """On the line 0 → 1 → 2 one convolution hears the node before; itself with B, with loops or alone."""
    line = torch.tensor([[0, 1], [1, 2]])
    x = torch.randn(3, 12, generator=torch.Generator().manual_seed(1))
    net = network(arm)
    heard = set()
    for source in range(3):
        moved = x.clone()
        moved[source] += 1
        changed = (net(moved, line) != net(x, line)).any(1)
        heard |= {(source, target) for target in range(3) if changed[target]}
    before, itself = {(0, 1), (1, 2)}, {(node, node) for node in range(3)}
    without = dict.fromkeys(("none", "wide", "normalized"), before)
    expected = {**without, "root": before | itself, "residual": before | itself, "loops": before | itself, "alone": itself}
    assert heard == expected[arm]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("arm", ARMS)
def test_layers_are_those_of_the_equation(arm: str, activation: str) -> None:
    """Dense matrices, the weights read by name."""
    net, club = network(arm, depth=3, activation=activation), karate_club()
    sigma = torch.relu if activation == "relu" else torch.tanh
    x = torch.randn(34, 12, generator=torch.Generator().manual_seed(2))
    a, eye = torch.zeros(34, 34), torch.eye(34)
    a[club.edge_index[1], club.edge_index[0]] = 1.0
    a = {"loops": a + eye, "alone": eye}.get(arm, a)

    def layer(index: int, h: Tensor) -> Tensor:
        convolution = net.layers[index]
        near = (a @ h / a.sum(1, keepdim=True)) @ convolution.lin_neighbors.weight.T + convolution.lin_neighbors.bias
        if arm == "normalized":
            near = (near - near.mean(1, keepdim=True)) / (near.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        own = h @ convolution.lin_self.weight.T if arm == "root" else h if arm == "residual" else 0.0
        return sigma(near + own)

    h = sigma(x @ net.encoder.weight.T)
    for index in range(3):
        h = layer(index, h)
    torch.testing.assert_close(net.features(x, club.edge_index), h, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net(x, club.edge_index), net.decoder(h), rtol=1e-4, atol=1e-5)


def test_widths() -> None:
    def parameters(arm: str) -> int:
        return sum(p.numel() for p in network(arm, width=64).layers.parameters())

    assert parameters("wide") == pytest.approx(parameters("root"), rel=0.02)
    assert parameters("none") == parameters("loops") == parameters("alone") == parameters("residual") == parameters("normalized")


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("arm", ["none", "root", "wide"])
@torch.no_grad()
def test_first_weights_keep_the_size_where_nothing_is_averaged(arm: str, width: int) -> None:
    """Over 30 layers the mean square moves by less than tenfold: a wrong factor of 2 would make it 10⁹."""
    x = torch.randn(34, 12, generator=torch.Generator().manual_seed(2))
    itself = torch.arange(34).expand(2, 34)  # every node's only neighbor
    sizes = [float(network(arm, 30, width, seed).features(x, itself).square().mean().log10()) for seed in range(8)]
    assert abs(sum(sizes) / len(sizes)) < 1


@torch.no_grad()
def test_with_b_fixed_all_layers_add_about_as_much_as_they_are_given() -> None:
    """Var(W) = 2 / (width · depth): over 64 layers h grows a little; undivided, it would grow by about 10¹⁰."""
    x = torch.randn(34, 12, generator=torch.Generator().manual_seed(2))
    growth = network("residual", 64, 64).features(x, karate_club().edge_index).square().mean()
    assert 1 < float(growth) < 100


@torch.no_grad()
@pytest.mark.parametrize(("activation", "same"), [("relu", True), ("tanh", False)])
def test_the_scale_of_the_first_weights_passes_through_relu_as_a_factor(activation: str, same: bool) -> None:
    x, edges = torch.randn(34, 12, generator=torch.Generator().manual_seed(2)), karate_club().edge_index
    usual, large = (network("none", 4, activation=activation, scale=scale).features(x, edges) for scale in (1.0, 3.0))
    energies = [dirichlet_energy(h, edges) for h in (usual, large)]
    assert math.isclose(*energies, rel_tol=1e-4) == same
    if same:
        torch.testing.assert_close(large, 3.0**4 * usual, rtol=1e-3, atol=1e-4)


def test_unknown_arms_and_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="choose one of none, root, loops, wide, residual, normalized, alone"):
        network("both")
    with pytest.raises(ValueError, match="choose one of relu, tanh"):
        network("none", activation="gelu")
    with pytest.raises(ValueError, match="depth 0 and width 16 must be at least 1"):
        network("none", depth=0)
    with pytest.raises(ValueError, match="scale 0 must be positive"):
        network("none", scale=0)
