"""A window moved over a picture sees the picture moved the other way, and nothing is made up."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from support.images import error, filters, image, net, tokens

from erlangen.symmetries.crop import CroppedTranslation

CROP = CroppedTranslation()


@given(st.integers(8, 70), st.integers(8, 70))
def test_both_windows_show_the_same_content_moved_by_g(h: int, w: int) -> None:
    x = torch.arange(1.0, h * w + 1).view(1, h, w)
    for dy, dx in [*CROP.generators(x), *CROP.elements(x, 10, np.random.default_rng(0))]:
        start, moved = CROP.reference(x, (dy, dx))[0], CROP.act(x, (dy, dx))[0]
        rows, columns = CROP.window_sides(x)
        assert start.shape == moved.shape == (rows, columns)
        i, j = rows // 2, columns // 2
        assert start[i, j] == moved[i + dy, j + dx]


def test_the_reference_is_the_center() -> None:
    x = torch.arange(32.0 * 32).view(1, 32, 32)
    assert torch.equal(CROP.reference(x, (1, 1)), x[:, 2:30, 2:30])


@given(st.integers(16, 300), st.sampled_from([1, 2, 4, 8, 14, 16, 32]))
def test_windows_leave_room_for_a_stride_and_show_at_least_half(side: int, step: int) -> None:
    x, symmetry = torch.zeros(1, side, 16 * step), CroppedTranslation(stride=(step, step))
    rows, _ = symmetry.window_sides(x)
    assert rows % step == 0
    if side >= 4 * step:
        assert side / 2 <= rows + step
        assert (0, step) in symmetry.generators(x)


def test_whole_strides_of_known_models_fit() -> None:
    x = torch.zeros(3, 224, 224)
    assert CROP.window_sides(x) == (192, 192)
    assert CROP.fitted(x, torch.zeros(197, 8)).window_sides(x) == (192, 192)
    assert CROP.fitted(x, torch.zeros(257, 8)).window_sides(x) == (196, 196)
    assert CROP.fitted(x, torch.zeros(8, 7, 7)).window_sides(x) == (160, 160)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_net_without_neighbors_is_exact_where_both_windows_show_the_same(stride: int) -> None:
    x = image(3, 64, 48)
    for f in (lambda x: net(x, filters(1), stride), lambda x: tokens(net(x, filters(1), stride))):
        symmetry = CROP.fitted(x, f(x))
        for g in [*symmetry.generators(x), *symmetry.elements(x, 9, np.random.default_rng(0))]:
            aligned = symmetry.align(f(symmetry.reference(x, g)), f(symmetry.act(x, g)), g, x)
            assert aligned is not None
            expected, actual = (y if y.dim() == 3 else y[1:] for y in aligned)  # the class token sees what came in
            assert torch.allclose(expected, actual, atol=1e-12)
            assert expected.numel() > net(symmetry.act(x, g), filters(1), stride).numel() / 2


@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_a_padded_net_is_caught_at_its_border(padding: str) -> None:
    x = image(3, 32, 32)
    for g in CROP.elements(x, 10, np.random.default_rng(0)):
        assert (error(CROP, lambda x: net(x, filters(), padding=padding), x, g) or 0) > 0.1


def test_a_window_that_leaves_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves the image"):
        CROP.act(torch.zeros(1, 32, 32), (3, 0))
    assert not CroppedTranslation(window=(32, 32)).elements(torch.zeros(1, 32, 32), 5, np.random.default_rng(0))
