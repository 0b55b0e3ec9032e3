"""Volumes: shifts, rotations and reflections along three axes, and outputs on a grid of three."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.grid import from_map, to_map
from erlangen.symmetries.layout import layout_of, layouts
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import Translation
from erlangen.symmetries.volume_reflection import VolumeReflection
from erlangen.symmetries.volume_turns import ROTATIONS, Turn, VolumeTurns, quarter_turn
from erlangen.testing import check_symmetry


def volume(*shape: int) -> Tensor:
    return torch.randn(shape or (2, 4, 5, 6), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def composed(g: Turn, h: Turn) -> Turn:
    """g after h."""
    order = tuple(h[0][axis] for axis in g[0])
    return order, tuple(h[1][axis] != flip for axis, flip in zip(*g, strict=True))


def inverse(g: Turn) -> Turn:
    return next(h for h in (*ROTATIONS, IDENTITY) if composed(g, h) == IDENTITY)


IDENTITY: Turn = ((0, 1, 2), (False, False, False))


def pointwise(x: Tensor) -> Tensor:
    return torch.cat([x.sin(), x.cos()])


@pytest.mark.parametrize("x", [volume(), volume(1, 3, 3, 3)], ids=["oblong", "cube"])
def test_laws(x: Tensor) -> None:
    turned = [torch.randn(3, *x.shape[1:]), torch.randn(x.shape[1:])] if len(set(x.shape[1:])) == 1 else []
    outputs = [torch.randn(5), torch.randn(7, 3), *turned]
    check_symmetry(VolumeTurns(), x, identity=IDENTITY, compose=composed, inverse=inverse, kept_by=pointwise, outputs=outputs)
    either = lambda g, h: tuple(sorted(set(g) ^ set(h)))  # noqa: E731
    same = lambda g: g  # noqa: E731
    check_symmetry(VolumeReflection(), x, identity=(), compose=either, inverse=same, kept_by=pointwise, outputs=outputs)
    add = lambda g, h: tuple(a + b for a, b in zip(g, h, strict=True))  # noqa: E731
    minus = lambda g: tuple(-by for by in g)  # noqa: E731
    check_symmetry(Translation(), x, identity=(0, 0, 0), compose=add, inverse=minus, kept_by=pointwise, outputs=outputs)
    check_symmetry(Translation("zeros"), x, kept_by=pointwise, outputs=outputs)


def test_there_are_23_rotations_and_none_mirrors() -> None:
    """Against signed permutation matrices: their determinant is 1."""
    assert len(set(ROTATIONS)) == 23
    for order, flips in ROTATIONS:
        matrix = np.zeros((3, 3))
        for k, (axis, flip) in enumerate(zip(order, flips, strict=True)):
            matrix[k, axis] = -1 if flip else 1
        assert round(np.linalg.det(matrix)) == 1
        angle = np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1)))
        assert VolumeTurns().size((order, flips)) == pytest.approx(angle)


def test_generators_are_the_quarter_turns_of_torch() -> None:
    x = volume()
    for axis in range(3):
        plane = [1 + k for k in range(3) if k != axis]
        turned = VolumeTurns().act(x, quarter_turn(axis))
        assert any(torch.equal(turned, torch.rot90(x, k, plane)) for k in (1, -1))
    reached = {IDENTITY}
    for _ in range(6):
        reached |= {composed(g, h) for g in VolumeTurns().generators(x) for h in reached}
    assert reached == {*ROTATIONS, IDENTITY}


def test_shifts_are_rolls_and_zeros_come_in() -> None:
    x = volume()
    assert torch.equal(Translation().act(x, (1, -2, 3)), x.roll((1, -2, 3), (1, 2, 3)))
    moved = Translation("zeros").act(x, (1, -2, 0))
    assert torch.equal(moved[:, 1:, :-2], x[:, :-1, 2:])
    assert not moved[:, 0].any()
    assert not moved[:, :, -2:].any()
    assert Translation().generators(x) == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]
    drawn = Translation().elements(x, 500, np.random.default_rng(0))
    assert len(set(drawn)) == 4 * 5 * 6 - 1
    assert Translation().label((1, -2, 3)) == "1 px back, 2 px up, 3 px right"


@pytest.mark.parametrize("stride", [1, 2, (1, 2, 2)], ids=str)
@pytest.mark.parametrize("padding", [0, 1])
def test_maps_of_convolutions_have_their_stride(stride: int | tuple[int, ...], padding: int) -> None:
    x = volume(2, 8, 12, 12)
    y = functional.conv3d(x[None], volume(3, 2, 3, 3, 3), stride=stride, padding=padding)[0]
    found = [layout.stride for layout in layouts(y, x) if layout.output == "map"]
    assert tuple(Fraction(s) for s in ((stride,) * 3 if isinstance(stride, int) else stride)) in found[:4]


@pytest.mark.parametrize(
    ("shape", "output", "side"),
    [
        ((4, 6, 6), "pixels", (4, 6, 6)), ((4, 6, 6, 5), "pixels", (4, 6, 6)), ((5, 4, 6, 6), "map", (4, 6, 6)),
        ((18, 7), "tokens", (2, 3, 3)), ((19, 7), "tokens", (2, 3, 3)), ((7,), "vector", (1, 1, 1)),
        ((7, 1, 1, 1), "vector", (1, 1, 1)),
    ],
)  # fmt: skip
def test_outputs_of_a_volume_are_read_by_their_shape(shape: tuple[int, ...], output: str, side: tuple[int, ...]) -> None:
    x, y = volume(2, 4, 6, 6), torch.randn(shape)
    layout = layout_of(y, x)
    assert layout is not None
    assert (layout.output, layout.side) == (output, side)
    cells = to_map(y, x)
    if output == "vector":
        assert cells is None
    else:
        assert cells is not None
        assert tuple(cells.shape[1:]) == side
        assert torch.equal(from_map(cells, y, x), y)


def read(shape: tuple[int, ...], sides: tuple[int, int, int]) -> list[tuple[str, int, tuple[int, ...], bool]]:
    return [(way.output, way.leading, way.side, way.likely) for way in layouts(torch.zeros(shape), volume(2, *sides))]


def test_grids_of_the_volumes_own_sides_come_first_and_other_pixels_are_unlikely() -> None:
    assert read((8, 8, 8, 4), (8, 8, 8))[0] == ("pixels", 0, (8, 8, 8), True)
    assert read((4, 8, 8, 8), (8, 8, 8))[0] == ("map", 0, (8, 8, 8), True)
    others = read((4, 4, 4, 4), (8, 8, 8))
    assert others[0] == ("map", 0, (4, 4, 4), True)
    assert {likely for output, _, _, likely in others if output == "pixels"} == {False}


def test_cubes_may_come_behind_leading_tokens_and_slices_may_be_thick() -> None:
    assert read((65, 6), (8, 8, 8))[0] == ("tokens", 1, (4, 4, 4), True)
    thick = [way.stride for way in layouts(torch.zeros(3, 8, 4, 4), volume(2, 8, 16, 16))]
    assert (1, 4, 4) in thick
    assert read((5, 1, 1), (4, 6, 6)) == [("vector", 0, (1, 1, 1), True)]


@pytest.mark.parametrize("symmetry", [Translation(), VolumeTurns(), VolumeReflection()], ids=lambda s: s.name)
def test_what_fits_no_grid_has_no_action(symmetry: Symmetry) -> None:
    x = volume(2, 4, 6, 6)
    g = symmetry.generators(x)[0]
    for shape in ((5, 7), (3, 4, 5), (2, 3, 4, 5, 6)):
        assert symmetry.align(torch.zeros(shape), torch.zeros(shape), g, x) is None


def test_a_reading_with_a_number_each_voxel_covers_turned_ones() -> None:
    reading = Reading("pixels", None, (4, 6, 5), axes=3)
    assert reading.covers(torch.zeros(5, 6, 4))
    assert not reading.covers(torch.zeros(7, 4, 6, 5))
    assert not Reading("pixels", None, (4, 6, 5, 2), axes=3).covers(torch.zeros(4, 6, 5, 3))
