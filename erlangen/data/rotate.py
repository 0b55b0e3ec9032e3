"""Rotation of whole batches of images, each by an angle of its own, in the geometry of Pillow and torchvision.

    out(x, y) = in(c·x - s·y, s·x + c·y)        c = cos, s = sin of the angle; x to the right, y down, from the center

`erlangen.symmetries.rotation` also rotates images, for another purpose: one image at a time, faded to its mean outside a disk and
always bilinear, so that an audit compares two equally blurred images. Here corners, fill and interpolation are what is studied.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor

from erlangen.errors import ErlangenError

Interpolation: TypeAlias = Literal["nearest", "bilinear"]
Fill: TypeAlias = Literal["zeros", "mean", "reflect"]

UNIT = 1 << 16  # nearest pixels are found in whole 65536ths of a pixel, as in Pillow: every device finds the same ones
LARGEST = 1 << 14  # pixels: a longer side would overflow int32 in these units
AT_ONCE = {"cpu": 1 << 16}  # pixels of each channel that are moved at a time, so that they stay in the cache
AT_ONCE_ELSEWHERE = 1 << 24


class Sources(NamedTuple):
    """Where the pixels come from: tables (H, W) for all images or (N, H, W) for each.

    rows, columns: int32, of the upper left one of four pixels if `down` and `right` are the point's distances from it, in pixels;
    inside: whether the point lies in the image.
    """

    rows: Tensor
    columns: Tensor
    inside: Tensor
    down: Tensor | None = None
    right: Tensor | None = None


def rotate(images: Tensor, degrees: float | Tensor, interpolation: Interpolation = "nearest", fill: Fill = "zeros") -> Tensor:
    """Images (N, C, H, W) rotated counterclockwise about their center; the same shape and dtype.

    images: uint8 or floating point, on any device. degrees: one angle, or one per image (N,). interpolation: the nearest pixel,
    or bilinear between the four around a point, which uint8 images round down as Pillow does. fill: what comes into view from
    outside the image: zeros, the mean color of each image, or the image itself, reflected about its outermost pixels.

    With uint8 and zeros, both give the pixels of Pillow's `Image.rotate`; bilinear values may differ by 1 where float32 rounds to
    the other side. Multiples of 90° move the pixels of a square image without changing them, as `torch.rot90` does.
    Raises ErlangenError for images or angles of another kind.
    """
    _check(images, degrees, interpolation, fill)
    size = max(1, AT_ONCE.get(images.device.type, AT_ONCE_ELSEWHERE) // max(1, images.shape[-2] * images.shape[-1]))
    angles = torch.as_tensor(degrees, dtype=torch.float64, device=images.device)
    find = _nearest if interpolation == "nearest" else _bilinear
    if len(images) <= size:
        return _moved(images, find(images, angles), fill)
    rotated, shared = torch.empty_like(images, memory_format=torch.contiguous_format), find(images, angles.flatten()[0])
    for start in range(0, len(images), size):
        some = slice(start, start + size)
        rotated[some] = _moved(images[some], find(images, angles[some]) if angles.ndim else shared, fill)
    return rotated


def disk(side: int) -> Tensor:
    """The pixels (side, side) bool whose centers lie in the inscribed disk: whatever the angle, they show no fill."""
    offset = torch.arange(side) * 2 - (side - 1)  # twice the distance from the center, a whole number
    return offset.square()[:, None] + offset.square() <= side**2


def _check(images: Tensor, degrees: float | Tensor, interpolation: str, fill: str) -> None:
    if images.ndim != 4 or not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise ErlangenError(f"rotate needs images (N, C, H, W), uint8 or float, not {tuple(images.shape)} {images.dtype}")
    if not 0 < min(images.shape[-2:]) <= max(images.shape[-2:]) <= LARGEST:
        raise ErlangenError(f"rotate needs images of 1 to {LARGEST} pixels a side, not {tuple(images.shape[-2:])}")
    if isinstance(degrees, Tensor) and degrees.shape != images.shape[:1]:
        raise ErlangenError(f"rotate needs one angle, or one for each of {len(images)} images, not {tuple(degrees.shape)}")
    if not isinstance(degrees, Tensor) and not math.isfinite(degrees):
        raise ErlangenError(f"rotate needs a finite angle in degrees, not {degrees}")
    for value, choice in ((interpolation, Interpolation), (fill, Fill)):
        if value not in get_args(choice):
            raise ErlangenError(f"rotate knows no {value!r}: choose from {', '.join(get_args(choice))}")


def _cosine_and_sine(degrees: Tensor) -> tuple[Tensor, Tensor]:
    """Two () or (N, 1, 1) float64, rounded to 15 digits, so that those of multiples of 90° are exactly 0, 1 or -1."""
    radians = (degrees % 360).deg2rad()
    cosine, sine = (torch.round(part, decimals=15) for part in (radians.cos(), radians.sin()))
    return (cosine, sine) if degrees.ndim == 0 else (cosine[:, None, None], sine[:, None, None])


def _nearest(images: Tensor, degrees: Tensor) -> Sources:
    """The pixels that contain the points where the centers of the rotated pixels come from."""
    (height, width), (cosine, sine) = images.shape[-2:], _cosine_and_sine(degrees)
    y = torch.arange(height, dtype=torch.int32, device=images.device)[:, None]
    x = torch.arange(width, dtype=torch.int32, device=images.device)
    middle_row, middle_column = height / 2, width / 2
    first_row = middle_row + (sine * -middle_column + cosine * -middle_row) + 0.5 * (sine + cosine)
    first_column = middle_column + (cosine * -middle_column - sine * -middle_row) + 0.5 * (cosine - sine)
    rows = (_in_units(first_row) + _in_units(sine) * x + _in_units(cosine) * y) >> 16
    columns = (_in_units(first_column) + _in_units(cosine) * x + _in_units(-sine) * y) >> 16
    return Sources(rows, columns, _inside(rows, columns, height, width))


def _in_units(value: Tensor) -> Tensor:
    return (value * UNIT + 0.5).floor().to(torch.int32)


def _bilinear(images: Tensor, degrees: Tensor) -> Sources:
    """The four pixels around the points where the centers of the rotated pixels come from."""
    (height, width), (cosine, sine) = images.shape[-2:], _cosine_and_sine(degrees)
    y = torch.arange(height, dtype=torch.float64, device=images.device)[:, None] + (0.5 - height / 2)
    x = torch.arange(width, dtype=torch.float64, device=images.device) + (0.5 - width / 2)
    rows, columns = sine * x + cosine * y + height / 2, cosine * x - sine * y + width / 2  # from the upper left corner
    inside = _inside(rows, columns, height, width)
    rows, columns = rows - 0.5, columns - 0.5  # from the center of the first pixel
    top, left = rows.floor(), columns.floor()
    return Sources(top.int(), left.int(), inside, rows - top, columns - left)


def _inside(rows: Tensor, columns: Tensor, height: int, width: int) -> Tensor:
    return (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)


def _moved(images: Tensor, sources: Sources, fill: Fill) -> Tensor:
    """The images (N, C, H, W) with their pixels taken from `sources`."""
    if sources.down is None or sources.right is None:
        return _picked(images, sources, fill, 1)[0]
    dtype = torch.promote_types(images.dtype, torch.float32)
    down, right = (part.to(dtype) if part.ndim == 2 else part.to(dtype)[:, None] for part in (sources.down, sources.right))
    upper_left, upper_right, lower_left, lower_right = _picked(images.to(dtype), sources, fill, 2)
    upper, lower = torch.lerp(upper_left, upper_right, right), torch.lerp(lower_left, lower_right, right)
    return torch.lerp(upper, lower, down).to(images.dtype)


def _picked(images: Tensor, sources: Sources, fill: Fill, width: int) -> list[Tensor]:
    """The pixels of images (N, C, H, W) at the sources' rows and columns and, if `width` is 2, at those beside, below and both.

    Beyond the border, the nearest pixels count, except where the source is outside: then one pixel that is added after the last
    has the color of what lies there.
    """
    (rows, columns), flat = images.shape[-2:], images.flatten(-2)  # (N, C, H·W)
    if fill != "reflect":
        flat = torch.cat([flat, _outside(flat, fill)], -1)
    starts = [_within(sources.rows + step, rows, fill) * columns for step in range(width)]
    places = [_within(sources.columns + step, columns, fill) for step in range(width)]
    if fill != "reflect":
        outside = ~sources.inside
        starts = [start.masked_fill(outside, rows * columns) for start in starts]
        places = [place.masked_fill(outside, 0) for place in places]
    return [_gathered(flat, start + place, images.shape) for start in starts for place in places]


def _gathered(flat: Tensor, index: Tensor, shape: torch.Size) -> Tensor:
    """Pixels of (N, C, P) at an index (H, W) or (N, H, W), in the shape (N, C, H, W)."""
    index = index.flatten(-2).long()
    index = index if index.ndim == 1 else index[:, None]
    return flat.gather(-1, index.expand(*shape[:2], -1)).view(shape)


def _within(index: Tensor, size: int, fill: Fill) -> Tensor:
    """Indices beyond the border, reflected about the first and the last pixel as often as it takes, or moved to the nearest."""
    if fill != "reflect":
        return index.clamp(0, size - 1)
    last = size - 1
    return last - (index % (2 * last) - last).abs() if last else torch.zeros_like(index)


def _outside(flat: Tensor, fill: Fill) -> Tensor:
    """The color (N, C, 1) of what lies outside images (N, C, H·W): the mean is rounded to a whole number for uint8."""
    if fill == "zeros":
        return flat.new_zeros(*flat.shape[:2], 1)
    mean = flat.mean(-1, keepdim=True, dtype=torch.promote_types(flat.dtype, torch.float32))
    return mean.round().to(flat.dtype) if flat.dtype == torch.uint8 else mean.to(flat.dtype)
