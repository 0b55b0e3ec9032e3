"""Zooms: two pictures of about equal blur that show the same."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from support.images import error, image, waves
from torch import Tensor

from erlangen.symmetries.sampling import offsets
from erlangen.symmetries.scale import Scale

SCALE = Scale()


def test_pairs_are_each_others_inverse_and_zoom_both_ways() -> None:
    elements = SCALE.elements(torch.zeros(1, 9, 9), 300, np.random.default_rng(0))
    assert all(a * b == pytest.approx(1) for a, b in elements)
    zooms = np.array([b / a for a, b in elements])
    assert zooms.max() == pytest.approx(1.5, rel=0.02)
    assert zooms.min() == pytest.approx(1 / 1.5, rel=0.02)
    assert np.abs(np.log(zooms)).min() >= math.log(1.02)
    assert SCALE.size((0.5, 1.0)) == 1


@pytest.mark.parametrize("shape", [(3, 16, 16), (3, 12, 17)], ids=str)
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_a_zoomed_picture_is_what_scipy_reads(shape: tuple[int, ...], factor: float) -> None:
    x = image(*shape)
    start, (u, v) = SCALE.zoom(x, 1.0), offsets(x)
    at = torch.stack([u / factor - u[0, 0], v / factor - v[0, 0]]).numpy()
    for before, after in zip(start, SCALE.zoom(x, factor), strict=True):
        corner = float(before[0, 0])
        expected = map_coordinates(before.numpy() - corner, at, order=1, mode="grid-constant") + corner
        assert np.abs(after.numpy() - expected).max() < 1e-12


def test_above_one_is_larger() -> None:
    x = torch.zeros(1, 33, 33, dtype=torch.float64)
    x[0, 12:21, 12:21] = 1
    area = [int((SCALE.zoom(x, factor) > 0.5).sum()) for factor in (0.8, 1.0, 1.2)]
    assert area == [7 * 7, 9 * 9, 11 * 11]


@pytest.mark.parametrize("shape", [(1, 33, 33), (1, 24, 30)], ids=str)
def test_the_largest_zoom_keeps_the_whole_disk_inside(shape: tuple[int, ...]) -> None:
    """What is seen at one factor is seen at all: the border pixels show the mean alone."""
    x = image(*shape)
    zoomed = SCALE.zoom(x, math.sqrt(1.5))
    corner = zoomed[..., :1, :1]
    rim = torch.cat([(zoomed - corner)[..., 0, :].flatten(), (zoomed - corner)[..., :, 0].flatten()])
    assert rim.abs().max() < 0.05 * (zoomed - corner).abs().max()


@pytest.mark.parametrize(("side", "factor"), [(16, 1.1), (32, 1.05)])
def test_both_of_a_pair_are_blurred_about_alike(side: int, factor: float) -> None:
    """The energy that is left of white noise for each area; without a zoom, a pair of unequal blur, it differs."""
    images = torch.randn(60, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def left(factors: list[float]) -> Tensor:
        """The fill is of each picture's own: it is taken away first."""
        zoomed = [SCALE.zoom(images, factor) - SCALE.zoom(images, factor)[:, :1, :1] for factor in factors]
        return torch.tensor([float(one.square().sum()) / factor**2 for one, factor in zip(zoomed, factors, strict=True)]).sqrt()

    pairs = SCALE.elements(images, 30, np.random.default_rng(0))
    ratio = left([b for _, b in pairs]) / left([a for a, _ in pairs])
    assert ratio.log().abs().max() < math.log(factor)
    assert left([1.2]) / left([1.0]) < 0.9


def test_the_loss_is_small_for_smooth_pictures_and_large_for_noise() -> None:
    assert SCALE.loss(image(3, 32, 32), (1.0, 1.0)) == 0
    assert 0 < SCALE.loss(waves(3, 32, 32, highest=1), (0.9, 1 / 0.9)) < 0.15
    assert 0.3 < SCALE.loss(image(3, 32, 32), (0.9, 1 / 0.9)) < 1


def test_a_feature_without_scale_holds_up_and_the_area_does_not() -> None:
    x = waves(1, 48, 48, highest=2)

    def middle(x: Tensor) -> Tensor:
        return x[:, 22:26, 22:26].mean((-2, -1))

    def brightness(x: Tensor) -> Tensor:
        return (x - x[:, :1, :1]).abs().mean((-2, -1))

    elements = [g for g in SCALE.elements(x, 30, np.random.default_rng(0)) if SCALE.size(g) > 0.3]
    lost = [np.mean([(error(SCALE, f, x, g) or 0) / float(f(x).abs()) for g in elements]) for f in (middle, brightness)]
    assert lost[0] < 0.5 * lost[1]


@pytest.mark.parametrize("shape", [(4, 8, 8), (17, 4)], ids=str)
def test_no_zoom_acts_on_maps(shape: tuple[int, ...]) -> None:
    x, y = image(3, 16, 16), image(*shape)
    assert SCALE.align(y, y, (0.9, 1.1), x) is None
    assert not SCALE.generators(x)
