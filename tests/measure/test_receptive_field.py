"""Receptive fields by gradients: against the whole Jacobian, against convolutions of the kernel with itself, and known shapes."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Generator, nn

from erlangen.measure import field_deviation, field_extent, gradient_field


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 2, 3)).double()


def test_the_mean_over_directions_is_the_sum_of_squares_of_the_jacobian():
    model, x = net(), torch.randn(3, 2, 5, 5, dtype=torch.float64)
    expected = torch.zeros(5, 5, dtype=torch.float64)
    for image in x:
        jacobian = torch.autograd.functional.jacobian(lambda one: model(one[None])[0, :, 0, 0], image)  # (2, 2, 5, 5)
        expected += jacobian.square().sum((0, 1)) / len(x)
    found = gradient_field(lambda some: model(some)[:, :, 0, 0], x, 4000, Generator().manual_seed(1))
    torch.testing.assert_close(found, expected, rtol=0.15, atol=1e-6)


def test_one_linear_output_needs_one_direction_and_gives_the_kernel():
    kernel = torch.randn(1, 1, 3, 4, dtype=torch.float64)
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    found = gradient_field(lambda some: F.conv2d(some, kernel)[:, :, 1, 1], x, generator=Generator().manual_seed(0))
    expected = torch.zeros(5, 6, dtype=torch.float64)
    expected[1:4, 1:5] = kernel[0, 0].square()
    torch.testing.assert_close(found / found.sum(), expected / expected.sum())
    assert field_extent(found) == (3, 4)


def test_inputs_are_left_as_they_are_and_directions_are_the_generators():
    x = torch.randn(2, 1, 4)
    first, again, other = (gradient_field(torch.tanh, x, generator=Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not x.requires_grad
    assert first.dtype == torch.float64
    assert first.shape == (4,)
    with pytest.raises(ValueError, match=r"inputs must be \(N, C, \*space\)"):
        gradient_field(torch.tanh, torch.randn(2, 3))


@given(st.integers(1, 30), st.integers(1, 30))
def test_the_deviation_of_an_even_field_is_that_of_a_uniform_distribution(rows: int, columns: int):
    found = field_deviation(torch.full((rows, columns), 0.7))
    assert found == pytest.approx([math.sqrt((side**2 - 1) / 12) for side in (rows, columns)], abs=1e-12)


@given(st.integers(1, 12), st.integers(0, 5))
def test_a_convolution_of_boxes_has_the_deviation_of_a_sum(layers: int, shift: int):
    """L layers that hand equal shares to 3 places: variance 2 L / 3, wherever the field is."""
    field = torch.ones(1, dtype=torch.float64)
    for _ in range(layers):
        field = F.conv1d(field[None, None], torch.ones(1, 1, 3, dtype=torch.float64), padding=2)[0, 0]
    padded = torch.cat([torch.zeros(shift), field])
    assert field_deviation(padded) == pytest.approx([math.sqrt(2 * layers / 3)])
    assert field_extent(padded) == (2 * layers + 1,)


def test_a_field_of_zeros_has_no_extent_and_no_deviation():
    assert field_extent(torch.zeros(3, 4)) == (0, 0)
    assert all(map(math.isnan, field_deviation(torch.zeros(3, 4))))


def test_the_extent_counts_from_the_first_to_the_last_place_that_is_not_zero():
    field = torch.zeros(9, dtype=torch.float64)
    field[2], field[7] = 1e-300, 1.0
    assert field_extent(field) == (6,)
