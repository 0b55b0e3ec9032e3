"""Tokens and maps find their place in the image, and what has none is told apart."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn
from torch.nn import functional

from erlangen.symmetries.grid import from_map, grid, on_grid, shift_in_cells, stride, to_map
from erlangen.symmetries.layout import LEADING, layout_of, layouts


@given(st.integers(3, 16), st.integers(3, 16), st.sampled_from(LEADING), st.sampled_from([2, 4, 7]))
def test_every_grid_of_patches_is_found(h: int, w: int, k: int, patch: int) -> None:
    """3 x 3 cells and more: 2 x 2 cells behind 5 tokens are as many as 3 x 3 behind none."""
    x, y = torch.zeros(3, h * patch, w * patch), torch.zeros(k + h * w, 2)
    assert grid(y, x) == (k, h, w)


def test_tokens_lie_where_their_patches_do() -> None:
    """Against the convolution that every ViT cuts its patches with."""
    torch.manual_seed(0)
    x = torch.randn(3, 12, 20)
    maps = nn.Conv2d(3, 5, 4, 4)(x[None])[0].detach()  # (5, 3, 5)
    for k in LEADING:
        tokens = torch.cat([torch.randn(k, 5), maps.flatten(1).T])  # (k + 15, 5)
        cells = to_map(tokens, x)
        assert cells is not None
        assert torch.equal(cells, maps)
        assert torch.equal(from_map(cells, tokens, x), tokens)


def test_known_models_fit() -> None:
    x = torch.zeros(3, 224, 224)
    assert grid(torch.zeros(197, 768), x) == (1, 14, 14)  # ViT-B/16
    assert grid(torch.zeros(198, 768), x) == (2, 14, 14)  # DeiT, distilled
    assert grid(torch.zeros(261, 384), x) == (5, 16, 16)  # DINOv2 with registers
    assert grid(torch.zeros(512, 7, 7), x) == (0, 7, 7)


@pytest.mark.parametrize("shape", [(7, 7, 768), (300, 91), (2, 3, 4, 5), (7, 14, 14, 3)])
def test_what_fits_no_grid_has_no_action(shape: tuple[int, ...]) -> None:
    x, y = torch.zeros(3, 224, 224), torch.zeros(shape)
    assert grid(y, x) is None
    assert to_map(y, x) is None
    assert on_grid(y, x, lambda cells: cells) is None
    with pytest.raises(ValueError, match="fits no grid"):
        from_map(torch.zeros(1, 2, 2), y, x)


@pytest.mark.parametrize("shape", [(), (10,), (64, 1, 1), (1, 64)])
def test_a_vector_stays_as_it_is(shape: tuple[int, ...]) -> None:
    x, y = torch.zeros(3, 32, 32), torch.randn(shape)
    assert on_grid(y, x, torch.zeros_like) is y
    assert stride(y, x) == (1, 1)


def test_rounded_strides_of_oblong_images_fit() -> None:
    x = torch.randn(1, 3, 45, 60)
    for _ in range(3):
        y = nn.Conv2d(3, 3, 3, 2, 1)(x)[0].detach()
        assert grid(y, x[0]) == (0, *y.shape[-2:])
        x = y[None]


def test_leading_tokens_stay_and_the_rest_moves() -> None:
    x, y = torch.zeros(3, 8, 8), torch.randn(1 + 16, 3)
    flipped = on_grid(y, x, lambda cells: cells.flip(-1))
    assert flipped is not None
    assert torch.equal(flipped[0], y[0])
    assert torch.equal(flipped[1:5], y[1:5].flip(0))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(-80, 80))
def test_a_shift_is_whole_just_where_the_stride_divides_it(side: int, cells: int, g: int) -> None:
    x, y = torch.zeros(1, side, side), torch.zeros(1, cells, cells)
    if cells == 1:
        return
    layout = layout_of(y, x)
    by = shift_in_cells(layout, (g, 0))
    assert (by is not None) == (g % stride(y, x)[0] == 0)
    if side % cells == 0 or cells % side == 0:
        assert layout.stride == (Fraction(side, cells),) * 2
    if by is not None:
        assert by == (g / layout.stride[0], 0)


def test_maps_may_have_another_stride_along_each_axis() -> None:
    """A kernel of 4 × 4 with strides 2 and 4, as on spectrograms."""
    x = torch.zeros(3, 16, 22)
    y = functional.conv2d(x[None], torch.zeros(6, 3, 4, 4), stride=(2, 4))[0]
    assert (2, 4) in [layout.stride for layout in layouts(y, x) if layout.output == "map"]
