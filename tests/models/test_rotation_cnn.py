"""Oracles: the report's net as plain torch layers; rotations of the input; the audit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from erlangen import audit
from erlangen.measure.products import count_products
from erlangen.models import RotationCNN, RotationCNNConfig

GROUPS = [("C4", "compute"), ("C4", "parameters"), ("C8", "compute"), ("C8", "parameters")]


def build(net: str, match: str = "compute", **fields: float) -> RotationCNN:
    torch.manual_seed(0)
    return RotationCNN(RotationCNNConfig(net=net, match=match, **fields))  # type: ignore[arg-type]


def images(count: int = 8, side: int = 32) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def multiply_adds(net: nn.Module, name: str) -> int:
    products = count_products(lambda: net(images(64).float()))
    return sum(product.multiply_adds for product in products if product.name == name) // 64


def parameters(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_the_flat_net_is_the_reports():
    ours = build("flat").double()
    shapes = [(3, 32), (32, 64), (64, 64)]
    theirs = nn.Sequential(
        *(step for a, b in shapes for step in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))),
        nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10),
    ).double()  # fmt: skip
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    torch.testing.assert_close(ours(images()), theirs(images()), rtol=1e-12, atol=1e-12)
    assert parameters(ours) == 122_570


@pytest.mark.parametrize(("net", "match"), GROUPS)
def test_group_nets_are_exactly_invariant_at_quarter_turns_and_others_are_not(net: str, match: str):
    model, x = build(net, match).double().eval(), images()
    plain = build("flat").double().eval()
    assert (plain(torch.rot90(x, 1, (-2, -1))) - plain(x)).abs().max() > 0.1 * plain(x).std()
    for turns in (1, 2, 3):
        assert (model(torch.rot90(x, turns, (-2, -1))) - model(x)).abs().max() <= 1e-12 * model(x).std()


@pytest.mark.parametrize(("net", "exact"), [("C4", True), ("pooled", False)])
def test_the_audit_calls_a_c4_net_exact_and_a_pooled_one_not(net: str, exact: bool):
    found = audit(build(net).eval(), images(12).float(), ["quarter-turns"])
    check = next(check for check in found.checks if check.name == "quarter-turns")
    assert (check.judgment == "exact") == exact


@pytest.mark.parametrize("order", ["C4", "C8"])
def test_equal_compute_and_equal_parameters(order: str):
    pooled = build("pooled")
    assert multiply_adds(build(order, "compute"), "convolution") == multiply_adds(pooled, "convolution")
    assert parameters(build(order, "parameters")) == pytest.approx(parameters(pooled), rel=0.02)
    total = sum(product.multiply_adds for product in count_products(lambda: build(order)(images(64).float())))
    assert total / 64 == pytest.approx(multiply_adds(pooled, "convolution"), rel=0.01)  # filters and linear layers are small


def test_width_multiplies_channels():
    assert build("flat", width=2.0).config.fields() == (64, 128, 128)
    assert build("C4", width=0.5).config.fields() == (4, 8, 8)
    assert build("pooled", width=0.5)(images().float()).shape == (8, 10)


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"net": "C6"}, "C6"), ({"side": 20}, "multiple of 8"), ({"net": "C8", "width": 0.05}, "without channels")],
)
def test_impossible_configurations_are_refused(fields: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words):
        RotationCNNConfig(**fields)  # type: ignore[arg-type]
