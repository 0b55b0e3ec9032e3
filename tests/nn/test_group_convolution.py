"""Oracles: a group convolution as sums over rotated filters; rotations of the input; escnn's layers with the same filters."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn import GroupConv2d, group_pool, turned_basis
from erlangen.nn.group_convolution import filter_table

ORDERS = (4, 8)
FORMATS = (torch.contiguous_format, torch.channels_last)


def layer(inner: int, outer: int, order: int, lifting: bool, seed: int = 0) -> GroupConv2d:
    torch.manual_seed(seed)
    return GroupConv2d(inner, outer, order, lifting=lifting).double()  # type: ignore[arg-type]


def maps(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def turned(x: Tensor, quarters: int) -> Tensor:
    return torch.rot90(x, quarters, (-2, -1))


def moved_on(y: Tensor, order: int, quarters: int) -> Tensor:
    """What an equivariant layer gives for the turned input, from what it gave for the input: (N, fields · n, H, W)."""
    turns = y.unflatten(1, (-1, order)).roll(quarters * order // 4, 2)
    return turned(turns.flatten(1, 2), quarters)


def worst(a: Tensor, b: Tensor) -> float:
    """The largest difference, over the spread."""
    return float((a - b).detach().abs().max() / b.detach().std())


def plainly(conv: GroupConv2d, x: Tensor) -> Tensor:
    """The definition, one filter after the other."""
    (inner, outer), n = conv.fields, conv.order
    basis, copies = turned_basis(n), 1 if conv.lifting else n
    out = torch.zeros(len(x), outer, n, *x.shape[-2:], dtype=x.dtype)
    split = x.unflatten(1, (inner, copies))
    for o, g, i, h in product(range(outer), range(n), range(inner), range(copies)):
        kernel = sum(w * filter for w, filter in zip(conv.weight[o, i, (h - g) % copies], basis[g], strict=True))
        out[:, o, g] += F.conv2d(split[:, i, h, None], kernel[None, None], padding=1)[:, 0]
    return (out + conv.bias[:, None, None, None]).flatten(1, 2)


@pytest.mark.parametrize(("order", "lifting"), list(product(ORDERS, (True, False))))
def test_the_layer_is_its_definition_in_values_and_gradients(order: int, lifting: bool):
    conv = layer(2, 3, order, lifting)
    conv.table.copy_(exact_table(conv))
    x = maps(2, 2 * (1 if lifting else order), 5, 6)
    assert conv(x).shape == (2, 3 * order, 5, 6)
    torch.testing.assert_close(conv(x), plainly(conv, x), rtol=1e-12, atol=1e-12)
    weights, target = [conv.weight, conv.bias], maps(2, 3 * order, 5, 6, seed=2)
    ours, theirs = (torch.autograd.grad((y * target).sum(), weights) for y in (conv(x), plainly(conv, x)))
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    assert torch.autograd.gradcheck(conv, maps(1, x.shape[1], 3, 3).requires_grad_())


def exact_table(conv: GroupConv2d) -> Tensor:
    """The table in float64, which the layer keeps in float32."""
    return filter_table(turned_basis(conv.order), conv.lifting)


@pytest.mark.parametrize(("order", "lifting", "quarters"), list(product(ORDERS, (True, False), (1, 2, 3))))
def test_quarter_turns_of_the_input_turn_the_output_and_move_its_turns_on(order: int, lifting: bool, quarters: int):
    conv = layer(2, 3, order, lifting)
    x = maps(2, 2 * (1 if lifting else order), 8, 8)
    there = turned(x, quarters) if lifting else moved_on(x, order, quarters)
    assert worst(conv(there), moved_on(conv(x), order, quarters)) < 1e-12
    assert worst(conv(there), turned(conv(x), quarters)) > 0.1  # the axis of turns must move


@pytest.mark.parametrize("order", ORDERS)
def test_a_stack_with_pooling_is_invariant_at_quarter_turns_and_an_ordinary_one_is_not(order: int):
    layers = [layer(3, 4, order, True), layer(4, 5, order, False, seed=1)]
    ordinary = nn.Conv2d(3, 8, 3, padding=1).double()
    x = maps(4, 3, 16, 16)

    def outputs(x: Tensor) -> Tensor:
        for conv in layers:
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return group_pool(x, order).mean((-2, -1))  # type: ignore[arg-type]

    for quarters in (1, 2, 3):
        assert worst(outputs(turned(x, quarters)), outputs(x)) < 1e-12
        assert worst(ordinary(turned(x, quarters)).mean((-2, -1)), ordinary(x).mean((-2, -1))) > 1e-3


WAVES = ((0.5, 0.2, 0.0), (0.3, -0.4, 1.0), (-0.2, 0.45, 2.0))  # of a picture: radians per pixel to the right and up, and a phase


def picture(degrees: float, fine: float) -> Tensor:
    """A picture turned counterclockwise about its central pixel, sampled without interpolation: (1, 1, 33, 33)."""
    place = torch.arange(33, dtype=torch.float64) - 16
    across, up = torch.meshgrid(place, -place, indexing="xy")
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = c * across + s * up, -s * across + c * up
    return sum(torch.cos(fine * (a * x + b * y) + phase) for a, b, phase in WAVES)[None, None]


def responses(conv: GroupConv2d, degrees: float, fine: float) -> Tensor:
    """What the turns of each filter say at the central pixel, without their mean: (fields, turns)."""
    y = conv(picture(degrees, fine)).detach().unflatten(1, (-1, 8))[0, :, :, 16, 16]
    return y - y.mean(1, keepdim=True)


@pytest.mark.parametrize(("fine", "most"), [(0.1, 5e-4), (0.3, 5e-3), (1.0, 0.05)])
def test_c8_turns_by_45_degrees_up_to_what_the_grid_loses(fine: float, most: float):
    """The finer the picture, the more is lost between pixels; nothing is lost of the geometry."""
    conv = layer(1, 6, 8, True)
    conv.table.copy_(exact_table(conv))
    here, there = responses(conv, 0.0, fine), responses(conv, 45.0, fine)
    assert float((there - here.roll(1, 1)).std() / here.std()) < most
    for other in (-1, 0, 2):
        assert float((there - here.roll(other, 1)).std() / here.std()) > 0.3
    for quarters, degrees in ((1, 90.0), (2, 180.0)):
        exact = responses(conv, degrees, fine)
        assert float((exact - here.roll(2 * quarters, 1)).abs().max()) < 1e-12


def test_turned_filters_are_rotations_of_the_first():
    basis = turned_basis(8)
    assert basis.shape == (8, 6, 3, 3)
    for g in range(8):
        torch.testing.assert_close(basis[(g + 2) % 8], turned(basis[g], 1), rtol=0, atol=0)
    assert turned_basis(4).shape == (4, 9, 3, 3)
    assert torch.linalg.matrix_rank(basis[0].flatten(1)) == 6
    spanned = basis[0].flatten(1).T  # the turned filters are sums of the same harmonics
    solution = torch.linalg.lstsq(spanned, basis[1].flatten(1).T).solution
    torch.testing.assert_close(spanned @ solution, basis[1].flatten(1).T, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="order 6"):
        turned_basis(6)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ORDERS)
def test_weights_start_with_the_variance_of_an_ordinary_convolution(order: int):
    conv = layer(16, 64, order, False)
    ordinary = nn.Conv2d(16 * order, 64, 3)
    assert float(conv.filters().var()) == pytest.approx(float(ordinary.weight.var()), rel=0.05)
    assert float(conv.bias.abs().max()) <= float(1 / (16 * order * 9) ** 0.5)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_bfloat16_and_channels_last(memory_format: torch.memory_format):
    conv = layer(2, 3, 4, False).float().to(memory_format=memory_format)
    x = maps(2, 8, 8, 8).float().contiguous(memory_format=memory_format)
    with torch.autocast("cpu", torch.bfloat16):
        y = conv(x)
    assert y.dtype == torch.bfloat16
    assert worst(y.float(), conv(x)) < 0.05
    with torch.autocast("cpu", torch.bfloat16):  # rounded filters are still turned copies of each other
        again = conv(moved_on(x, 4, 1))
    assert worst(again.float(), moved_on(y.float(), 4, 1)) < 0.02


def test_pooling_takes_the_maximum_over_turns_only():
    x = maps(2, 12, 3, 3)
    torch.testing.assert_close(group_pool(x, 4)[:, 1], x[:, 4:8].amax(1))
    assert group_pool(x, 4).shape == (2, 3, 3, 3)


def test_escnn_gives_the_same_outputs_with_the_same_filters():
    pytest.importorskip("escnn.nn", reason="needs escnn, which builds lie_learn and py3nj from source")
    from escnn import gspaces, nn as theirs

    space = gspaces.rot2dOnR2(4)
    pixels = theirs.FieldType(space, 3 * [space.trivial_repr])
    fields = [theirs.FieldType(space, count * [space.regular_repr]) for count in (5, 2)]
    torch.manual_seed(0)
    lift = theirs.R2Conv(pixels, fields[0], 3, padding=1).double().eval()
    group = theirs.R2Conv(fields[0], fields[1], 3, padding=1).double().eval()
    ours = layer(3, 5, 4, True), layer(5, 2, 4, False)
    x = maps(2, 3, 8, 8)
    with torch.no_grad():
        for conv, other in zip(ours, (lift, group), strict=True):
            outer, inner = conv.fields[1], conv.fields[0]
            filters = other.expand_parameters()[0].view(outer, 4, inner, -1, 3, 3)
            conv.weight.copy_(filters[:, 0].flatten(3))
            conv.bias.zero_()
            other.bias.zero_()
        expected = group(lift(theirs.GeometricTensor(x, pixels))).tensor
        assert worst(ours[1](ours[0](x)), expected) < 1e-5  # escnn samples its filters in float32
