"""Turns of pictures: exact ones, and any angle between pictures of equal blur."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.ndimage import map_coordinates
from support.images import error, filters, image, net, tokens, waves
from torch import Tensor
from torch.autograd import forward_ad

from erlangen.symmetries.rotation import QuarterTurns, Rotation, rotate
from erlangen.symmetries.sampling import offsets, radius, window

TURNS, ROTATION = QuarterTurns(), Rotation()
SHAPES = pytest.mark.parametrize("shape", [(3, 16, 16), (3, 9, 9), (3, 12, 17), (3, 15, 10)], ids=str)


def turning(
    form: Callable[[Tensor], Tensor], weight: Tensor, padding: str = "zeros", stride: int = 1
) -> Callable[[Tensor], Tensor]:
    return lambda x: form(net(x, weight, stride, padding))


def as_map(y: Tensor) -> Tensor:
    return y


def pooled(y: Tensor) -> Tensor:
    return y.mean((-2, -1))


@given(st.integers(-9, 9), st.integers(-9, 9))
def test_quarter_turns_compose_by_adding(g: int, h: int) -> None:
    x = image(2, 3, 5)
    assert torch.equal(TURNS.act(TURNS.act(x, g), h), TURNS.act(x, g + h))
    assert torch.equal(TURNS.act(x, g + 4), TURNS.act(x, g))


def test_a_quarter_turn_is_counterclockwise() -> None:
    assert TURNS.act(torch.tensor([[[1, 2], [3, 4]]]), 1).tolist() == [[[2, 4], [1, 3]]]
    assert [TURNS.size(g) for g in (1, 2, 3)] == [90, 180, 90]


@pytest.mark.parametrize("form", [as_map, tokens, pooled])
@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 6, 10)], ids=str)
def test_a_net_of_turned_filters_commutes_with_quarter_turns_and_others_do_not(
    form: Callable[[Tensor], Tensor], shape: tuple[int, ...]
) -> None:
    x = image(*shape)
    for g in (1, 2, 3):
        assert error(TURNS, turning(form, filters(turned=True)), x, g) == pytest.approx(0, abs=1e-12)
        assert (error(TURNS, turning(form, filters()), x, g) or 0) > 0.02
        if form is not pooled:  # a stride of 2 on an even side reads the pixels off center
            assert (error(TURNS, turning(form, filters(turned=True), stride=2), x, g) or 0) > 0.02


@SHAPES
@pytest.mark.parametrize("angle", [0.0, 17.0, 90.0, 133.3, -45.0])
def test_a_turned_picture_is_what_scipy_reads(shape: tuple[int, ...], angle: float) -> None:
    x = image(*shape)
    start, (u, v), t = rotate(x, 0), offsets(x), math.radians(angle)
    rows = math.cos(t) * u + math.sin(t) * v
    columns = math.cos(t) * v - math.sin(t) * u
    at = torch.stack([rows - u[0, 0], columns - v[0, 0]]).numpy()
    for before, after in zip(start, rotate(x, angle), strict=True):
        corner = float(before[0, 0])  # the mean that fills what is outside
        expected = map_coordinates(before.numpy() - corner, at, order=1, mode="grid-constant") + corner
        assert np.abs(after.numpy() - expected).max() < 1e-12


@SHAPES
@given(st.integers(-9, 9), st.floats(-180, 180))
def test_turns_by_quarters_are_exact_within_the_disk(shape: tuple[int, ...], k: int, angle: float) -> None:
    x = image(*shape)
    size = int(2 * radius(x)) + 1
    (u, v) = offsets(x)
    square = (slice(None), (u[:, 0].abs() <= radius(x)), (v[0].abs() <= radius(x)))

    def disk(x: Tensor) -> Tensor:
        return x[square[0], square[1]][..., square[2]]

    assert disk(x).shape == (shape[0], size, size)
    assert torch.equal(disk(rotate(x, 90.0 * k)), torch.rot90(disk(rotate(x, 0)), k, (-2, -1)))
    assert torch.allclose(disk(rotate(x, angle + 90 * k)), torch.rot90(disk(rotate(x, angle)), k, (-2, -1)), atol=1e-9)


@SHAPES
def test_nothing_outside_the_disk_is_seen(shape: tuple[int, ...]) -> None:
    x = image(*shape)
    other = torch.where(window(x, radius(x)) > 0, x, torch.full_like(x, 7.0))
    assert not torch.equal(x, other)
    for a in (0.0, 30.0, 90.0):
        assert torch.equal(rotate(x, a), rotate(other, a))


def test_pairs_turn_by_every_angle_about_axes_that_pixels_mirror() -> None:
    elements = ROTATION.elements(torch.zeros(1, 9, 9), 400, np.random.default_rng(0))
    assert all((a + b) / 2 % 45 == pytest.approx(0, abs=1e-9) or (a + b) / 2 % 45 == pytest.approx(45) for a, b in elements)
    sizes = np.array([ROTATION.size(g) for g in elements])
    assert sizes.min() >= 1
    assert np.histogram(sizes, 6, (0, 180))[0].min() > 40  # 67 expected in each


@pytest.mark.parametrize(("side", "factor"), [(16, 1.02), (32, 1.01)])
def test_both_of_a_pair_are_blurred_alike(side: int, factor: float) -> None:
    """The energy left of white noise, the hardest picture; turned by 0° and by 20°, a pair of unequal blur, it differs."""

    def left(angles: list[float]) -> Tensor:
        images = torch.randn(60, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        return torch.stack([rotate(images, angle).square().sum() for angle in angles]).sqrt()

    pairs = ROTATION.elements(torch.zeros(1, side, side), 30, np.random.default_rng(0))
    ratio = left([b for _, b in pairs]) / left([a for a, _ in pairs])
    assert ratio.log().abs().max() < math.log(factor)
    unequal = left([20.0]) / left([0.0])
    assert unequal < 0.9


def test_the_loss_is_zero_for_quarter_turns_small_for_smooth_pictures_and_large_for_noise() -> None:
    smooth, noise = waves(3, 32, 32, highest=1), image(3, 32, 32)
    assert all(ROTATION.loss(noise, (0, angle)) == 0 for angle in (90, 180, 270, -90))
    assert 0 < ROTATION.loss(smooth, (-20, 20)) < 0.1
    assert 0.3 < ROTATION.loss(noise, (-20, 20)) < 1
    before = rotate(noise, 0)
    disk = window(noise, radius(noise)) > 0
    after = rotate(rotate(before, 20), -20)  # fades twice, which changes the rim alone
    inner = ((u := offsets(noise))[0] ** 2 + u[1] ** 2).sqrt() < radius(noise) * 0.7
    spread = float(before[:, disk].std())
    by_hand = float((after - before)[:, inner].square().mean().sqrt()) / spread
    assert ROTATION.loss(noise, (-20, 20)) == pytest.approx(by_hand, rel=0.3)
    assert ROTATION.loss(noise * 255 + 9, (-20, 20)) == pytest.approx(ROTATION.loss(noise, (-20, 20)))


@pytest.mark.parametrize("form", [as_map, tokens])
def test_only_quarter_turns_act_on_maps(form: Callable[[Tensor], Tensor]) -> None:
    x, f, broken = image(3, 12, 12), turning(form, filters(turned=True)), turning(form, filters())
    symmetry = ROTATION.fitted(x, f(x))
    elements = symmetry.elements(x, 9, np.random.default_rng(0))
    assert sorted(b - a for a, b in elements) == [90, 180, 270]
    assert all(error(symmetry, f, x, g) == pytest.approx(0, abs=1e-12) for g in elements)
    assert all((error(symmetry, broken, x, g) or 0) > 0.02 for g in elements)
    assert error(ROTATION, f, x, (-10.0, 80.0)) is not None
    assert error(ROTATION, f, x, (-10.0, 30.0)) is None
    oblong = image(3, 12, 16)
    assert ROTATION.fitted(oblong, f(oblong)) == ROTATION
    assert error(ROTATION, f, oblong, (0.0, 90.0)) is None


def test_a_rotation_invariant_feature_holds_up_and_one_of_the_axes_does_not() -> None:
    """The means over rings of a smooth picture against its means over rows: the first change by the blur, the second by more."""
    x = waves(1, 32, 32, highest=2)
    u, v = offsets(x)
    rings = torch.stack([((u**2 + v**2).sqrt() / 2 - k).abs().le(0.5) for k in range(6)])

    def radial(x: Tensor) -> Tensor:
        return torch.stack([x[:, ring].mean() for ring in rings])

    def rows(x: Tensor) -> Tensor:
        return x.mean((0, 2))

    elements = ROTATION.elements(x, 20, np.random.default_rng(0))
    worst = [max(error(ROTATION, f, x, g) or 0 for g in elements) for f in (radial, rows)]
    assert worst[0] < 0.2 * worst[1]


@pytest.mark.parametrize("shape", [(2, 17, 17), (1, 16, 16), (1, 14, 19)], ids=str)
def test_the_tangent_is_the_limit_of_small_turns(shape: tuple[int, ...]) -> None:
    """The picture as a sum of waves, read between the pixels, faded and turned by ±t about the center, all in NumPy."""
    x, t = waves(*shape), 1e-3
    _, height, width = shape
    spectrum = np.fft.fft2(x.numpy()) / (height * width)
    u, v = (offset.numpy() for offset in offsets(x))
    row, column = -u[0, 0], -v[0, 0]
    mean = rotate(x, 0)[..., 0, 0].numpy()

    def picture(degrees: float) -> np.ndarray:
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        rows, columns = c * u + s * v + row, c * v - s * u + column
        k, m = np.fft.fftfreq(height), np.fft.fftfreq(width)
        phase = np.exp(2j * np.pi * (k[:, None] * rows[..., None, None] + m * columns[..., None, None]))  # (H, W, H, W)
        values = np.einsum("ckm,hwkm->chw", spectrum, phase).real
        distance = np.hypot(u, v) / radius(x)
        fade = np.cos(np.pi / 2 * np.clip(4 * distance - 3, 0, 1)) ** 2
        return mean[:, None, None] + fade * (values - mean[:, None, None])

    (tangent,) = ROTATION.tangent(x)
    assert np.abs(picture(0) - ROTATION.reference(x, (0, 90)).numpy()).max() < 1e-12
    assert np.abs((picture(t) - picture(-t)) / (2 * t) - tangent.numpy()).max() < 1e-5 * float(tangent.abs().max())


def test_the_tangent_goes_the_way_the_action_goes() -> None:
    x = waves(1, 64, 64, highest=1)
    (tangent,) = ROTATION.tangent(x)
    small = (rotate(x, 2) - rotate(x, -2)) / 4
    assert torch.nn.functional.cosine_similarity(small.flatten(), tangent.flatten(), dim=0) > 0.97
    assert not Rotation(quarter=True).tangent(x)


def test_forward_mode_runs_through_a_turn() -> None:
    x, direction = image(1, 9, 9), image(1, 9, 9).flip(-1)
    with forward_ad.dual_level():
        change = forward_ad.unpack_dual(rotate(forward_ad.make_dual(x, direction), 30.0)).tangent
    assert change is not None
    assert torch.allclose(change, rotate(direction, 30.0))
