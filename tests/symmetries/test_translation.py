"""Group laws, and a definition written out pixel by pixel."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.fft import fftn, ifftn
from scipy.ndimage import fourier_shift
from support.images import error, filters, image, net, tokens, waves
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


NETS: dict[str, Callable[[Tensor], Tensor]] = {
    "map": lambda x: net(x, filters()),
    "tokens": lambda x: tokens(net(x, filters())),
    "coarse map": lambda x: net(x, filters(), stride=2),
    "coarse tokens": lambda x: tokens(net(x, filters(), stride=4)),
    "vector": lambda x: net(x, filters()).mean((-2, -1)),
}


def used(symmetry: Translation, x: Tensor, y: Tensor) -> list[tuple[int, int]]:
    fitted = symmetry.fitted(x, y)
    return [*fitted.generators(x), *fitted.elements(x, 10, np.random.default_rng(0))]


@pytest.mark.parametrize("output", NETS)
@pytest.mark.parametrize("shape", [(3, 16, 16), (3, 12, 20)], ids=str)
def test_a_circular_net_commutes_with_shifts_and_a_padded_one_does_not(output: str, shape: tuple[int, ...]) -> None:
    x = image(*shape)
    for g in used(CIRCULAR, x, NETS[output](x)):
        assert error(CIRCULAR, NETS[output], x, g) == pytest.approx(0, abs=1e-12)

    padded = {"map": lambda x: net(x, filters(), padding="zeros"), "tokens": lambda x: tokens(net(x, filters(), padding="zeros"))}
    for broken in padded.values():
        assert all((error(CIRCULAR, broken, x, g) or 0) > 0.1 for g in used(CIRCULAR, x, broken(x)))


def test_a_strided_net_acts_only_under_whole_strides() -> None:
    x = image(3, 16, 16)
    assert error(CIRCULAR, NETS["coarse map"], x, (0, 1)) is None
    assert error(CIRCULAR, NETS["coarse map"], x, (3, 2)) is None
    assert CIRCULAR.fitted(x, NETS["coarse map"](x)).stride == (2, 2)
    assert CIRCULAR.fitted(x, NETS["coarse tokens"](x)).stride == (4, 4)
    pooled_after_stride = net(x, filters(), stride=2).mean((-2, -1))
    assert CIRCULAR.fitted(x, pooled_after_stride) == CIRCULAR  # a vector says nothing of strides: every shift is asked for


@pytest.mark.parametrize("border", ["circular", "zeros"])
@given(st.integers(4, 40), st.integers(4, 40), st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 2, 4]))
def test_elements_are_whole_strides_of_the_stated_reach(border: str, h: int, w: int, down: int, right: int) -> None:
    symmetry, x = Translation(border, stride=(down, right)), torch.zeros(1, h * down, w * right)
    elements = symmetry.elements(x, 20, np.random.default_rng(0))
    share = 2 if border == "circular" else 4
    for dy, dx in [*elements, *symmetry.generators(x)]:
        assert (dy, dx) != (0, 0)
        assert dy % down == dx % right == 0
        assert abs(dy) <= max(h * down / share, down)
        assert abs(dx) <= max(w * right / share, right)
    assert len(elements) == 20 or len(elements) == (2 * (h // 4) + 1) * (2 * (w // 4) + 1) - 1 or border == "circular"


def test_all_shifts_of_a_small_torus_are_drawn_once() -> None:
    elements = CIRCULAR.elements(torch.zeros(1, 3, 4), 99, np.random.default_rng(0))
    assert sorted((dy % 3, dx % 4) for dy, dx in elements) == [(i, j) for i in range(3) for j in range(4) if i or j]


@given(shifts_within)
def test_the_reference_has_lost_exactly_what_the_moved_picture_has(g: tuple[int, int]) -> None:
    x = picture(2)  # no pixel is 0
    moved, reference = ZEROS.act(x, g), ZEROS.reference(x, g)
    assert torch.equal(ZEROS.act(reference, g), moved)
    assert sorted(moved[moved != 0].tolist()) == sorted(reference[reference != 0].tolist())
    assert torch.equal(reference[reference != 0], x[reference != 0])


def test_under_zeros_maps_are_compared_where_both_show_the_picture() -> None:
    """A net without neighbors is exact there; with `g·f(x)` in full, what came in at the border would count as an error."""
    x = image(3, 16, 12)
    for f in (lambda x: net(x, filters(1)), lambda x: tokens(net(x, filters(1)))):
        for g in used(ZEROS, x, f(x)):
            pixels = (16 - abs(g[0])) * (12 - abs(g[1]))
            aligned = ZEROS.align(f(ZEROS.reference(x, g)), f(ZEROS.act(x, g)), g, x)
            assert aligned is not None
            expected, actual = (y if y.dim() == 3 else y[1:].T for y in aligned)
            assert torch.equal(expected, actual)
            assert expected[0].numel() == pixels
    whole = net(ZEROS.act(x, (4, 0)), filters(1)) - CIRCULAR.act(net(x, filters(1)), (4, 0))
    assert whole.abs().max() > 0.1


def test_a_zero_padded_net_is_caught_under_zeros() -> None:
    """Content that stays inside, and a bias: its second layer sees a border that does not move with the picture."""
    x = torch.zeros(3, 16, 16, dtype=torch.float64)
    x[:, 6:10, 6:10] = image(3, 4, 4)

    def two_layers(padding: str) -> Callable[[Tensor], Tensor]:
        return lambda x: net(net(x, filters(), padding=padding)[:3], filters(), padding=padding)

    for g in ZEROS.elements(x, 10, np.random.default_rng(0)):
        assert (error(ZEROS, two_layers("zeros"), x, g) or 0) > 0.1
        assert error(ZEROS, two_layers("circular"), x, g) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shape", [(2, 16, 13), (1, 9, 12)], ids=str)
def test_tangents_are_the_limit_of_fractional_shifts(shape: tuple[int, ...]) -> None:
    """Against SciPy's Fourier shift, by a thousandth of a pixel each way."""
    x, t = waves(*shape), 1e-3
    for axis, tangent in zip((-2, -1), CIRCULAR.tangent(x), strict=True):
        by = {side: tuple(side * t if k == x.dim() + axis else 0.0 for k in range(3)) for side in (1, -1)}
        ahead, behind = (ifftn(fourier_shift(fftn(x.numpy()), by[side])).real for side in (1, -1))
        assert np.abs((ahead - behind) / (2 * t) - tangent.numpy()).max() < 1e-5 * float(tangent.abs().max())


def test_only_the_whole_torus_has_tangents() -> None:
    assert not ZEROS.tangent(image(1, 8, 8))
    assert not Translation(stride=(2, 2)).tangent(image(1, 8, 8))


def test_a_shift_in_words() -> None:
    assert CIRCULAR.label((2, -3)) == "2 px down, 3 px left"
    assert CIRCULAR.size((3, -4)) == 5
