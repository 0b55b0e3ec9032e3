"""Rotation compared with Pillow, SciPy and torch.rot90, and laws that hold for every angle."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy import ndimage
from torch import Tensor

from erlangen.data.rotate import disk, rotate
from erlangen.errors import ErlangenError
from erlangen.symmetries.rotation import rotate_in_disk

INTERPOLATIONS, FILLS = ("nearest", "bilinear"), ("zeros", "mean", "reflect")
ANGLES = st.floats(-720, 720)
SIZES = [(32, 32), (33, 33), (32, 48), (31, 48), (7, 2), (1, 5)]


def bytes_of(n: int, height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (n, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def smooth(n: int, side: int) -> Tensor:
    """Images that change little from pixel to pixel, (n, 3, side, side) float64."""
    noise = torch.rand(n, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return torch.from_numpy(ndimage.gaussian_filter(noise.numpy(), (0, 0, 3, 3)))


def by_pillow(images: Tensor, degrees: float, interpolation: str) -> Tensor:
    image = pytest.importorskip("PIL.Image")
    mode = image.Resampling[interpolation.upper()]
    turned = [
        np.asarray(image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy())).rotate(degrees, mode))
        for picture in images
    ]
    return torch.from_numpy(np.stack(turned)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nearest_gives_pillows_pixels(size: tuple[int, int]) -> None:
    images, rng = bytes_of(2, *size), np.random.default_rng(0)
    for degrees in [*range(0, 361, 15), *rng.uniform(-720, 720, 40)]:
        assert torch.equal(rotate(images, float(degrees)), by_pillow(images, float(degrees), "nearest")), degrees


@pytest.mark.parametrize("size", SIZES[:4], ids=str)
def test_bilinear_gives_pillows_pixels_but_for_rounding(size: tuple[int, int]) -> None:
    """Pillow truncates in float64: a value that is whole there can fall just below it in float32."""
    images, rng = bytes_of(2, *size), np.random.default_rng(0)
    angles = [*range(0, 361, 15), *rng.uniform(-720, 720, 40)]
    pairs = [(rotate(images, float(a), "bilinear").int(), by_pillow(images, float(a), "bilinear").int()) for a in angles]
    differences = torch.stack([(ours - theirs).abs() for ours, theirs in pairs])
    assert differences.max() <= 1
    assert (differences > 0).double().mean() < 3e-4


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_scipy_agrees_away_from_the_border(interpolation: str) -> None:
    images, inner = torch.rand(2, 3, 24, 24, dtype=torch.float64), disk(24 - 4).nonzero().T + 2
    for degrees in (10.0, 30.0, 77.7, 200.0):
        theirs = ndimage.rotate(images.numpy(), degrees, axes=(3, 2), reshape=False, order=INTERPOLATIONS.index(interpolation))
        difference = (rotate(images, degrees, interpolation) - torch.from_numpy(theirs))[..., *inner].abs()  # type: ignore[arg-type]
        if interpolation == "bilinear":
            assert difference.max() < 1e-12
        else:
            assert (difference > 0).double().mean() < 0.01  # a point on the edge of two pixels belongs to either


def test_the_audits_rotation_agrees_on_what_lies_inside_the_disk() -> None:
    """Two programs for one geometry: `erlangen.symmetries.rotation` also interpolates bilinearly."""
    images, inner = torch.rand(1, 3, 16, 16, dtype=torch.float64), disk(14).nonzero().T + 1
    for degrees in (30.0, 45.0, 90.0, 211.0):
        theirs = rotate_in_disk(images[0], degrees)
        assert torch.allclose(rotate(images, degrees, "bilinear")[0][:, *inner], theirs[:, *inner], atol=1e-12)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("side", [1, 2, 31, 32])
def test_quarter_turns_are_exact(side: int, dtype: torch.dtype, interpolation: str, fill: str) -> None:
    images = bytes_of(3, side, side).to(dtype)
    for turns in range(-4, 9):
        quarter = rotate(images, 90 * turns, interpolation, fill)  # type: ignore[arg-type]
        assert quarter.dtype == dtype
        assert torch.equal(quarter, torch.rot90(images, turns, (-2, -1)))


def test_a_half_turn_of_an_oblong_image_is_exact() -> None:
    images = bytes_of(2, 5, 8)
    assert torch.equal(rotate(images, 180), images.flip(-2, -1))


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@given(ANGLES, ANGLES)
def test_an_angle_for_each_image_does_what_one_angle_does(interpolation: str, fill: str, a: float, b: float) -> None:
    images = bytes_of(3, 12, 12)
    together = rotate(images, torch.tensor([a, b, a], dtype=torch.float64), interpolation, fill)  # type: ignore[arg-type]
    alone = [rotate(images[i : i + 1], angle, interpolation, fill) for i, angle in enumerate((a, b, a))]  # type: ignore[arg-type]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@given(ANGLES)
def test_a_permuted_batch_is_permuted(interpolation: str, degrees: float) -> None:
    images, order = bytes_of(4, 9, 9), torch.tensor([2, 0, 3, 1])
    angles = torch.tensor([degrees, 2 * degrees, -degrees, 10.0], dtype=torch.float64)
    expected = rotate(images, angles, interpolation)[order]  # type: ignore[arg-type]
    assert torch.equal(rotate(images[order], angles[order], interpolation), expected)  # type: ignore[arg-type]


@given(st.integers(0, 359), st.sampled_from(INTERPOLATIONS), st.sampled_from(FILLS))
def test_a_full_turn_more_changes_nothing(degrees: int, interpolation: str, fill: str) -> None:
    images = bytes_of(1, 10, 10)
    once, twice = (rotate(images, angle, interpolation, fill) for angle in (degrees, degrees + 360))  # type: ignore[arg-type]
    assert torch.equal(once, twice)


@given(st.floats(-180, 180))
def test_turning_back_restores_a_smooth_image_inside_the_disk(degrees: float) -> None:
    images, inside = smooth(2, 32), disk(32 - 4).nonzero().T + 2
    back = rotate(rotate(images, degrees, "bilinear"), -degrees, "bilinear")
    loss = (back - images)[..., *inside].square().mean().sqrt() / images[..., *inside].std()
    assert loss < 0.1
    wrong = rotate(rotate(images, degrees, "bilinear"), degrees, "bilinear")[..., *inside]
    assert (
        min(abs(degrees), 180 - abs(degrees)) < 15 or (wrong - images[..., *inside]).square().mean().sqrt() > 0.2 * images.std()
    )


@given(ANGLES, st.integers(1, 40), st.sampled_from(INTERPOLATIONS))
def test_the_disk_shows_no_fill_at_any_angle(degrees: float, side: int, interpolation: str) -> None:
    turned = rotate(torch.ones(1, 1, side, side, dtype=torch.float64), degrees, interpolation)[0, 0]  # type: ignore[arg-type]
    assert (turned[disk(side)] == 1).all()


def test_the_disk_touches_the_border_and_leaves_the_corners_out() -> None:
    for side in (8, 9, 32):
        inside = disk(side)
        assert inside[side // 2, 0]
        assert not inside[0, 0]
        assert torch.equal(inside, torch.rot90(inside))
        assert abs(inside.sum() / (math.pi * side**2 / 4) - 1) < 0.1


def test_zeros_the_mean_color_and_the_image_itself_fill_the_corners() -> None:
    images = torch.full((1, 1, 16, 16), 100, dtype=torch.uint8)
    images[..., :9, :] = 201
    assert rotate(images, 45)[0, 0, 0, 0] == 0
    assert rotate(images, 45, fill="mean")[0, 0, 0, 0] == 157  # 156.8
    assert set(rotate(images, 45, fill="reflect").unique().tolist()) == {100, 201}
    floats = images.float()
    assert rotate(floats, 45, "bilinear", "mean")[0, 0, 0, 0] == 156.8125


@given(ANGLES, st.sampled_from(INTERPOLATIONS))
def test_reflection_is_that_of_a_padded_image(degrees: float, interpolation: str) -> None:
    images = torch.rand(1, 2, 14, 14, dtype=torch.float64)
    padded = torch.nn.functional.pad(images, (7, 7, 7, 7), mode="reflect")  # (1, 2, 28, 28)
    expected = rotate(padded, degrees, interpolation)[..., 7:-7, 7:-7]  # type: ignore[arg-type]
    actual = rotate(images, degrees, interpolation, "reflect")  # type: ignore[arg-type]
    if interpolation == "bilinear":
        assert torch.allclose(actual, expected, atol=1e-12)
    else:
        assert (actual != expected).double().mean() <= 0.02  # points on the edge of two pixels


def test_what_is_not_finite_stays_where_it_is() -> None:
    images = torch.full((1, 1, 8, 8), torch.inf)
    assert rotate(images, 45)[0, 0, 0, 0] == 0


def test_a_batch_of_many_chunks_is_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    images, angles = bytes_of(9, 8, 8), torch.arange(9) * 37.0
    whole = [rotate(images, 20), rotate(images, angles)]
    monkeypatch.setattr("erlangen.data.rotate.AT_ONCE", {"cpu": 2 * 64})
    assert torch.equal(rotate(images, 20), whole[0])
    assert torch.equal(rotate(images, angles), whole[1])
    assert rotate(images[:0], 20).shape == (0, 3, 8, 8)
    assert rotate(images[:0], angles[:0]).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("images", "arguments", "problem"),
    [
        (torch.zeros(3, 8, 8), (30,), r"needs images \(N, C, H, W\), uint8 or float, not \(3, 8, 8\) torch.float32"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), (30,), "not .* torch.int64"),
        (torch.zeros(1, 3, 0, 8), (30,), "1 to 16384 pixels a side"),
        (torch.zeros(2, 3, 8, 8), (torch.zeros(3),), r"one for each of 2 images, not \(3,\)"),
        (torch.zeros(2, 3, 8, 8), (math.nan,), "needs a finite angle in degrees, not nan"),
        (torch.zeros(2, 3, 8, 8), (30, "cubic"), "knows no 'cubic': choose from nearest, bilinear"),
        (torch.zeros(2, 3, 8, 8), (30, "nearest", "edge"), "knows no 'edge': choose from zeros, mean, reflect"),
    ],
)
def test_what_cannot_be_rotated_is_refused(images: Tensor, arguments: tuple[object, ...], problem: str) -> None:
    with pytest.raises(ErlangenError, match=problem):
        rotate(images, *arguments)  # type: ignore[arg-type]


@pytest.mark.cuda
@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_gpu_finds_the_same_pixels(interpolation: str, fill: str) -> None:
    images, angles = bytes_of(50, 32, 32), torch.rand(50, dtype=torch.float64) * 360
    ours, theirs = (
        rotate(images.to(device), angles.to(device), interpolation, fill).cpu().int()  # type: ignore[arg-type]
        for device in ("cuda", "cpu")
    )
    assert (ours - theirs).abs().max() <= (0 if interpolation == "nearest" and fill != "mean" else 1)
