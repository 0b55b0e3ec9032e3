"""Boxes move with what they surround, and are compared as sets."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from erlangen.symmetries.boxes import MOST, Boxes, move_boxes, pair_boxes
from erlangen.symmetries.crop import CroppedTranslation
from erlangen.symmetries.intensity import Intensity
from erlangen.symmetries.motion import shift, still
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.rotation import QuarterTurns, Rotation
from erlangen.symmetries.scale import Scale
from erlangen.symmetries.subpixel import SubpixelTranslation
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.time_shift import TimeShift
from erlangen.symmetries.translation import Translation

H, W = 12, 20
FORMS = [
    Boxes(kind, normalized=unit == "normalized", centers=centers, signed=unit == "signed")  # type: ignore[arg-type]
    for kind, unit, centers in product(("xyxy", "xywh", "cxcywh"), ("pixels", "normalized", "signed"), (False, True))
]
MOVES = [
    (Reflection(), "left-right"), (Reflection("up-down"), "up-down"), *((QuarterTurns(), k) for k in (1, 2, 3)),
    (Translation(), (2, -3)), (Translation("zeros"), (-1, 4)), (Intensity(), (2.0, 0.0)), (CroppedTranslation(), (1, -1)),
]  # fmt: skip


def drawn(top: int, left: int, height: int, width: int) -> Tensor:
    """(1, H, W) with a rectangle of ones."""
    x = torch.zeros(1, H, W)
    x[:, top : top + height, left : left + width] = 1
    return x


def seen(x: Tensor, form: Boxes) -> Tensor:
    """The box around what is not 0, (1, 4), written in a form, by hand."""
    rows, columns = x[0].any(1).nonzero()[:, 0], x[0].any(0).nonzero()[:, 0]
    top, bottom, left, right = (float(v) for v in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
    if form.centers:
        top, bottom, left, right = top - 0.5, bottom - 0.5, left - 0.5, right - 0.5
    h, w = ((side - form.centers) if form.normalized or form.signed else 1 for side in x.shape[-2:])
    top, bottom, left, right = top / h, bottom / h, left / w, right / w
    if form.signed:
        top, bottom, left, right = 2 * top - 1, 2 * bottom - 1, 2 * left - 1, 2 * right - 1
    width, height = right - left, bottom - top
    written = {
        "xyxy": [left, top, right, bottom],
        "xywh": [left, top, width, height],
        "cxcywh": [(left + right) / 2, (top + bottom) / 2, width, height],
    }
    return torch.tensor([written[form.format]], dtype=torch.float64)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("symmetry", "g"), MOVES, ids=str)
def test_the_box_around_what_moved_is_the_box_that_moved(symmetry: Symmetry, g: object, form: Boxes) -> None:
    x = drawn(4, 7, 3, 5)
    motion = symmetry.motion(x, g)
    assert motion is not None
    moved = move_boxes(seen(symmetry.reference(x, g), form), form, motion)
    torch.testing.assert_close(moved, seen(symmetry.act(x, g), form))


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 8), st.integers(4, 14), st.floats(-170, 170))
def test_points_go_where_their_pixel_goes(row: int, column: int, angle: float) -> None:
    """Of a rotation by any angle: where a bright spot has its center of mass."""
    x = torch.zeros(1, 17, 17, dtype=torch.float64)
    row, column = 6 + row % 5, 6 + column % 5
    x[0, row, column] = 1
    symmetry, keypoints = Rotation(), Boxes("xy")
    y = torch.tensor([[column + 0.5, row + 0.5]], dtype=torch.float64)
    for g, tolerance in (((0.0, angle), 0.3), ((0.0, 90.0), 1e-9), ((-45.0, 45.0), 1e-9)):
        before, after = (mass_center(side(x, g)) for side in (symmetry.reference, symmetry.act))
        moved = move_boxes(before if tolerance < 0.1 else y, keypoints, symmetry.motion(x, g))
        assert moved is not None
        torch.testing.assert_close(moved, after, atol=tolerance, rtol=0)


def mass_center(x: Tensor) -> Tensor:
    """Of what is brighter than the corner, (1, 2) as (x, y)."""
    m = (x[0] - x[0, 0, 0]).clamp(min=0)
    m = torch.where(m > 0.2 * m.max(), m, 0)
    rows, columns = (torch.arange(side, dtype=x.dtype) + 0.5 for side in x.shape[-2:])
    return torch.stack([(m.sum(0) * columns).sum(), (m.sum(1) * rows).sum()])[None] / m.sum()


def test_zooming_and_subpixel_shifts_move_points_too() -> None:
    x = torch.zeros(1, 16, 16)
    zoomed = move_boxes(torch.tensor([[10.0, 8.0]]), Boxes("xy"), Scale().motion(x, (0.5, 1.0)))
    assert torch.equal(zoomed, torch.tensor([[12.0, 8.0]]))
    shifted = move_boxes(torch.tensor([[10.0, 8.0]]), Boxes("xy"), SubpixelTranslation().motion(x, (0.25, -0.5)))
    assert torch.equal(shifted, torch.tensor([[9.5, 8.25]]))


def test_a_box_stays_upright_or_cannot_be_compared() -> None:
    x, y = torch.zeros(1, 9, 9), torch.tensor([[1.0, 1.0, 3.0, 4.0]])
    assert move_boxes(y, Boxes(), Rotation().motion(x, (0.0, 30.0))) is None
    assert move_boxes(y, Boxes(), Rotation().motion(x, (0.0, 90.0))) is not None
    assert TimeShift().motion(torch.zeros(1, 9), 1) is None


def rows(seed: int, n: int, sides: tuple[float, float] = (H, W)) -> Tensor:
    """n boxes xyxy with a score."""
    rng = np.random.default_rng(seed)
    center, size = rng.uniform(2, min(sides) - 2, (n, 2)), rng.uniform(0.5, 2, (n, 2))
    return torch.from_numpy(np.concatenate([center - size, center + size, rng.normal(size=(n, 1))], 1))


def test_boxes_are_a_set_unless_they_are_ordered() -> None:
    x, y = torch.zeros(1, H, W), rows(0, 9)
    shuffled = y[torch.randperm(9, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(*pair_boxes(y, shuffled, Boxes(), still(x)))
    expected, actual = pair_boxes(y, shuffled, Boxes(ordered=True), still(x))
    assert float((expected - actual).abs().max()) > 1
    other = y.clone()
    other[3, 4] += 1  # a score counts, too
    expected, actual = pair_boxes(y, other, Boxes(), still(x))
    assert float((expected - actual).square().sum()) == pytest.approx(1)


def test_the_matching_is_the_best_one() -> None:
    from itertools import permutations

    x, y, other = torch.zeros(1, H, W), rows(1, 5), rows(2, 5)
    expected, actual = pair_boxes(y, other, Boxes(), still(x))
    best = min(float((y - other[list(order)]).square().sum()) for order in permutations(range(5)))
    assert float((expected - actual).square().sum()) == pytest.approx(best)


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(
    "form",
    [Boxes(), Boxes("cxcywh", normalized=True), Boxes("xywh", centers=True, normalized=True), Boxes("cxcywh", signed=True)],
    ids=str,
)
def test_on_a_circle_places_differ_by_less_than_half_of_it(form: Boxes, ordered: bool) -> None:
    x, form = torch.zeros(1, H, W), replace(form, ordered=ordered)
    y = rows(3, 6) / 20
    unit = form.unit((H, W))
    motion = shift(x, (5.0, -7.0), "circular")
    moved = move_boxes(y, form, motion)
    assert moved is not None
    wrapped = moved.clone()
    for k in (0, 2) if form.format == "xyxy" else (0,):
        wrapped[:3, k] += W / unit[1]
    for k in (1, 3) if form.format == "xyxy" else (1,):
        wrapped[2:, k] -= H / unit[0]
    expected, actual = pair_boxes(y, wrapped, form, motion)
    torch.testing.assert_close(expected, actual)
    for part in (0.25, 0.5, -0.25):  # a part of the circle away is another place
        away = wrapped[:1].clone()
        away[:, [0, 2] if form.format == "xyxy" else [0]] += part * W / unit[1]
        expected, actual = pair_boxes(y[:1], away, form, motion)
        assert float((expected - actual)[:, 0].abs()) == pytest.approx(abs(part) * W / unit[1])


def test_what_leaves_the_picture_is_not_compared() -> None:
    x = torch.zeros(1, H, W)
    y = torch.tensor([[4.0, 4, 2, 2], [18.0, 4, 2, 2], [5.0, 8, 2, 2]])  # the second one leaves
    y_g = torch.tensor([[8.0, 8, 2, 2], [7.0, 4, 2, 2], [1.0, 6, 2, 2]])  # the third one enters
    motion = shift(x, (0.0, 3.0), "cut")
    expected, actual = pair_boxes(y, y_g, Boxes("cxcywh"), motion)
    assert torch.equal(expected, actual)
    assert len(expected) == 2
    assert pair_boxes(y[1:2], y_g[2:], Boxes("cxcywh"), motion) is None
    outside = torch.tensor([[-1.0, 4, 2, 2]])  # it enters, but nothing can be said of it before
    expected, actual = pair_boxes(torch.cat([y, outside]), y_g, Boxes("cxcywh"), motion)
    assert len(expected) == 2
    expected, actual = pair_boxes(y, y_g[:1], Boxes("cxcywh"), motion)  # one is missing: compared with nothing
    assert float((expected - actual).abs().max()) == 7
    expected, actual = pair_boxes(y, y_g, Boxes("cxcywh", ordered=True), motion)
    assert len(expected) == 3


def test_rows_without_a_box_stay() -> None:
    x = torch.zeros(1, H, W)
    y = torch.tensor([[4.0, 4, 6, 6], [0.0, 0, 0, 0], [-1.0, -1, -1, -1]])
    moved = move_boxes(y, Boxes(), shift(x, (1.0, 2.0), "circular"))
    assert torch.equal(moved, torch.tensor([[6.0, 5, 8, 7], [0.0, 0, 0, 0], [-1.0, -1, -1, -1]]))


def test_signed_points_in_the_middle_and_in_a_corner_are_no_padding() -> None:
    y, motion = torch.tensor([[0.0, 0.0], [-1.0, -1.0]]), shift(torch.zeros(1, H, W), (3.0, 5.0), "cut")
    moved = move_boxes(y, Boxes("xy", ordered=True, signed=True), motion)
    assert moved is not None
    torch.testing.assert_close(moved, torch.tensor([[0.5, 0.5], [-0.5, -0.5]]))
    with pytest.raises(ValueError, match="normalized, from 0 to 1, or signed, from -1 to 1, but not both"):
        Boxes("xy", normalized=True, signed=True)


def test_more_than_can_be_matched_are_refused() -> None:
    x = torch.zeros(1, H, W)
    with pytest.raises(ValueError, match="301 boxes are too many to match"):
        pair_boxes(rows(0, MOST + 1), rows(1, MOST + 1), Boxes(), still(x))
    assert pair_boxes(rows(0, MOST + 1), rows(1, MOST + 1), Boxes(ordered=True), still(x)) is not None


def test_boxes_at_random_do_not_match_by_chance() -> None:
    """The most boxes that are matched, uniformly in a square, are more than a tenth of their spread apart."""
    rng = np.random.default_rng(0)
    y, other = (torch.from_numpy(rng.uniform(0, 100, (MOST, 2))) for _ in range(2))
    expected, actual = pair_boxes(y, other, Boxes("xy"), still(torch.zeros(1, 100, 100)))
    assert float((expected - actual).square().mean().sqrt() / y.std()) > 0.1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("border", ["circular", "cut", "whole"])
def test_boxes_keep_their_precision(dtype: torch.dtype, border: str) -> None:
    y = torch.tensor([[4.0, 4, 6, 6], [2.0, 1, 3, 5]], dtype=dtype)
    expected, actual = pair_boxes(y, y + 1, Boxes(), shift(torch.zeros(1, H, W), (1.0, 1.0), border))
    assert (expected.dtype, actual.dtype) == (dtype, dtype)
    assert torch.equal(expected, actual)
