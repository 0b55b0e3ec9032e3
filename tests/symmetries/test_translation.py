"""Group laws, and a definition written out pixel by pixel."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from erlangen.symmetries.translation import Translation

H, W = 5, 7
CIRCULAR, ZEROS = Translation("circular"), Translation("zeros")
shifts = st.tuples(st.integers(-20, 20), st.integers(-20, 20))
shifts_within = st.tuples(st.integers(-H, H), st.integers(-W, W))


def picture(*leading: int) -> Tensor:
    return torch.arange(1.0, H * W + 1).view(H, W).expand(*leading, H, W).contiguous()


def moved_pixel_by_pixel(x: Tensor, g: tuple[int, int]) -> Tensor:
    """out[i, j] = x[i - dy, j - dx] where that lies inside, else 0."""
    out = torch.zeros_like(x)
    for i in range(H):
        for j in range(W):
            if 0 <= i - g[0] < H and 0 <= j - g[1] < W:
                out[..., i, j] = x[..., i - g[0], j - g[1]]
    return out


@given(shifts, shifts)
def test_circular_shifts_compose_by_adding(g: tuple[int, int], h: tuple[int, int]) -> None:
    both = (g[0] + h[0], g[1] + h[1])
    assert torch.equal(CIRCULAR.act(CIRCULAR.act(picture(), g), h), CIRCULAR.act(picture(), both))


@given(shifts)
def test_circular_shifts_have_inverses(g: tuple[int, int]) -> None:
    assert torch.equal(CIRCULAR.act(CIRCULAR.act(picture(), g), (-g[0], -g[1])), picture())


@given(shifts)
def test_circular_shifts_repeat_with_the_size(g: tuple[int, int]) -> None:
    assert torch.equal(CIRCULAR.act(picture(), (g[0] + H, g[1] - W)), CIRCULAR.act(picture(), g))


def test_circular_shift_moves_down_and_right() -> None:
    moved = CIRCULAR.act(picture(), (2, 3))
    assert moved[2, 3] == picture()[0, 0]
    assert moved[0, 0] == picture()[-2, -3]


@pytest.mark.parametrize("border", ["circular", "zeros"])
def test_zero_is_the_identity(border: str) -> None:
    assert torch.equal(Translation(border).act(picture(), (0, 0)), picture())


@given(shifts_within)
def test_zeros_come_in_where_pixels_went_out(g: tuple[int, int]) -> None:
    assert torch.equal(ZEROS.act(picture(2, 3), g), moved_pixel_by_pixel(picture(2, 3), g))


@given(shifts)
def test_a_picture_moved_past_the_border_is_gone(g: tuple[int, int]) -> None:
    assert torch.equal(ZEROS.act(picture(2, 3), g), moved_pixel_by_pixel(picture(2, 3), g))


@given(st.tuples(st.integers(-2, 2), st.integers(-3, 3)))
def test_content_that_stays_inside_comes_back(g: tuple[int, int]) -> None:
    x = torch.zeros(H, W)
    x[2, 3] = 1
    assert torch.equal(ZEROS.act(x, g), CIRCULAR.act(x, g))
    assert torch.equal(ZEROS.act(ZEROS.act(x, g), (-g[0], -g[1])), x)


@pytest.mark.parametrize("border", ["circular", "zeros"])
def test_the_input_stays_as_it_was(border: str) -> None:
    for g in ((0, 0), (2, -3)):
        x = picture(2, 3)
        Translation(border).act(x, g).add_(1)
        assert torch.equal(x, picture(2, 3))
