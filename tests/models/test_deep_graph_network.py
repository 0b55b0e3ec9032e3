"""The deep network's arms: who is heard, how wide, and that its first weights keep the signal's size."""

import pytest
import torch

from erlangen.data.graphs import karate_club
from erlangen.models.deep_graph_network import DeepGraphNetwork, DeepGraphNetworkConfig

ARMS = ("none", "root", "loops", "wide", "alone")


def network(arm: str, depth: int = 1, width: int = 16, seed: int = 0) -> DeepGraphNetwork:
    torch.manual_seed(seed)
    config = DeepGraphNetworkConfig(arm=arm, in_features=12, classes=3, depth=depth, width=width)  # type: ignore[arg-type]
    return DeepGraphNetwork(config).eval()


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
    expected = {"none": before, "wide": before, "root": before | itself, "loops": before | itself, "alone": itself}
    assert heard == expected[arm]


def test_widths() -> None:
    def parameters(arm: str) -> int:
        return sum(p.numel() for p in network(arm, width=64).layers.parameters())

    assert parameters("wide") == pytest.approx(parameters("root"), rel=0.02)
    assert parameters("none") == parameters("loops") == parameters("alone")


@pytest.mark.parametrize("width", [64, 128])
@torch.no_grad()
def test_first_weights_keep_the_size_where_nothing_is_averaged(width: int) -> None:
    """Over 30 layers the mean square moves by less than tenfold: a wrong factor of 2 would make it 10⁹."""
    x = torch.randn(34, 12, generator=torch.Generator().manual_seed(2))
    edges = karate_club().edge_index
    sizes = [float(network("alone", 30, width, seed).features(x, edges).square().mean().log10()) for seed in range(8)]
    assert abs(sum(sizes) / len(sizes)) < 1


def test_unknown_arms_are_refused() -> None:
    with pytest.raises(ValueError, match="choose one of none, root, loops, wide, alone"):
        network("both")
