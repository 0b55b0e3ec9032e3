"""Shifts by fractions of a pixel, against SciPy, and against nets that do and do not keep them."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.fft import fftn, ifftn
from scipy.ndimage import fourier_shift
from support.images import error, filters, image, waves
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.subpixel import SubpixelTranslation
from erlangen.symmetries.translation import Translation

SUBPIXEL = SubpixelTranslation()
fractions = st.tuples(st.floats(-3, 3), st.floats(-3, 3))
sides = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(sides, fractions, fractions)
def test_shifts_add_up(side: tuple[int, int], g: tuple[float, float], h: tuple[float, float]) -> None:
    x = image(2, *side)
    both = SUBPIXEL.act(x, (g[0] + h[0], g[1] + h[1]))
    assert torch.allclose(SUBPIXEL.act(SUBPIXEL.act(x, g), h), both, atol=1e-12)


@given(sides, fractions)
def test_the_reference_has_lost_exactly_what_the_moved_picture_has(side: tuple[int, int], g: tuple[float, float]) -> None:
    x = image(2, *side)
    moved, reference = SUBPIXEL.act(x, g), SUBPIXEL.reference(x, g)
    assert torch.allclose(SUBPIXEL.act(moved, (-g[0], -g[1])), reference, atol=1e-12)
    assert float(moved.square().sum()) == pytest.approx(float(reference.square().sum()))


@given(sides, st.tuples(st.integers(-9, 9), st.integers(-9, 9)))
def test_whole_pixels_are_moved_as_whole_pixels(side: tuple[int, int], g: tuple[int, int]) -> None:
    x = image(2, *side)
    assert torch.allclose(SUBPIXEL.act(x, g), Translation().act(SUBPIXEL.reference(x, g), g), atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 9, 7), (2, 8, 8)], ids=str)
def test_band_limited_images_move_as_scipy_moves_them(shape: tuple[int, ...]) -> None:
    x, g = waves(*shape), (0.3, -1.7)
    expected = ifftn(fourier_shift(fftn(x.numpy()), (0, *g))).real
    assert np.abs(SUBPIXEL.act(x, g).numpy() - expected).max() < 1e-12


def test_the_loss_is_that_of_the_wave_of_two_pixels() -> None:
    smooth, finest = waves(1, 8, 8), torch.ones(1, 8, 8, dtype=torch.float64)
    finest[..., 1::2] = -1
    assert SUBPIXEL.loss(smooth, (0.5, 0)) == pytest.approx(0, abs=1e-12)
    assert SUBPIXEL.loss(finest, (0.5, 0)) == pytest.approx(1)
    mixed = smooth - smooth.mean() + finest
    spread = float((mixed - mixed.mean()).square().mean().sqrt())
    assert SUBPIXEL.loss(mixed, (0.5, 0)) == pytest.approx(1 / spread)


def test_a_linear_net_keeps_the_energy_and_an_aliasing_one_does_not() -> None:
    x = image(3, 16, 16)

    def energy(x: Tensor) -> Tensor:
        return functional.conv2d(functional.pad(x[None], (1,) * 4, mode="circular"), filters())[0].square().mean((-2, -1))

    def aliased(x: Tensor) -> Tensor:
        return functional.conv2d(functional.pad(x[None], (1,) * 4, mode="circular"), filters())[0].relu().mean((-2, -1))

    for g in [*SUBPIXEL.generators(x), *SUBPIXEL.elements(x, 10, np.random.default_rng(0))]:
        assert error(SUBPIXEL, energy, x, g) == pytest.approx(0, abs=1e-10)
        assert (error(SUBPIXEL, aliased, x, g) or 0) > 1e-5


def test_only_a_finer_map_moves_by_whole_cells() -> None:
    x = waves(3, 12, 12)

    def finer(x: Tensor) -> Tensor:
        """Waves added up at twice as many places, what an ideal upsampling does."""
        spectrum = torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1))
        return torch.fft.ifft2(torch.fft.ifftshift(functional.pad(spectrum, (6, 6, 6, 6)), dim=(-2, -1))).real * 4

    symmetry = SUBPIXEL.fitted(x, finer(x))
    elements = symmetry.elements(x, 20, np.random.default_rng(0))
    assert symmetry.generators(x) == [(0.0, 0.5), (0.5, 0.0)]
    assert len(elements) == 20
    for g in elements:
        assert any(pixels % 1 for pixels in g)
        assert error(symmetry, finer, x, g) == pytest.approx(0, abs=1e-12)
        assert (error(symmetry, lambda x: x.repeat_interleave(2, -1).repeat_interleave(2, -2), x, g) or 0) > 0.01
    assert SUBPIXEL.fitted(x, x[:, ::2, ::2]) == SUBPIXEL
    assert SUBPIXEL.act_output(x, (0.5, 0.0), x) is None
