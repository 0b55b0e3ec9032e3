"""Strides with which cells can lie over pixels: the likeliest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, product

from erlangen.symmetries.reading import Stride

MOST_STRIDES = 6  # that are tried for one map


def has_ratio(side: Sequence[int], sides: Sequence[int], rounded: bool = True) -> bool:
    """Whether a grid has the image's aspect ratio. rounded: up to one row or column, which a stride may round away."""
    pairs = combinations(zip(side, sides, strict=True), 2)
    return all(abs(h * width - w * height) < (max(height, width) if rounded else 1) for (h, height), (w, width) in pairs)


def map_strides(side: Sequence[int], sides: Sequence[int]) -> list[Stride]:
    """Strides, the same along all axes, with which a map of so many cells along each can lie over an image: the likeliest first.

    That is H / h if the aspect ratio is exact and H / h or h / H a whole number; then whole numbers that leave about as many
    pixels over along all axes, nearest to H / h first; then those of maps finer than the image; then H / h and W / w where the
    ratio is rounded.
    """
    if not (all(side) and all(sides)):
        return []
    proportional = tuple(Fraction(pixels, cells) for cells, pixels in zip(side, sides, strict=True))
    exact = [proportional] if len(set(proportional)) == 1 and 1 in proportional[0].as_integer_ratio() else []
    most = max(math.ceil(pixels / max(cells - 2, 1)) for cells, pixels in zip(side, sides, strict=True))
    whole = [(Fraction(s),) * len(side) for s in nearest(max(proportional), most) if spare_alike(side, sides, s)]
    finer = [(stride,) * len(side) for stride in finer_strides(side[0], sides[0]) if beyond_alike(side, sides, stride)]
    rounded = [proportional] if has_ratio(side, sides) else []
    return list(dict.fromkeys([*exact, *whole, *finer, *rounded]))


def mixed_strides(side: Sequence[int], sides: Sequence[int]) -> list[Stride]:
    """Strides, or kernels, that may differ between the axes, as those of volumes with thick slices and of spectrograms do."""
    most = 4 if len(side) == 2 else 2  # along each axis
    each = [
        [stride for stride in axis_strides(cells, pixels) if stride.denominator == 1 or cells % pixels == 0][:most]
        for cells, pixels in zip(side, sides, strict=True)
    ]
    return list(product(*each))


def axis_strides(cells: int, side: int) -> list[Fraction]:
    """The same along one axis."""
    if not (cells and side):
        return []
    most = math.ceil(side / max(cells - 2, 1))  # with padding, the first and the last cell lie half outside
    whole = [Fraction(s) for s in nearest(Fraction(side, cells), most) if spare(cells, side, s) >= least_spare(side, s)]
    exact = [Fraction(side, cells)] if side % cells == 0 or cells % side == 0 else []
    return list(dict.fromkeys([*exact, *whole, *finer_strides(cells, side), Fraction(side, cells)]))


def finer_strides(cells: int, side: int) -> list[Fraction]:
    """1/2, 1/3, ..., the likeliest first, if a transposed convolution can have made so many cells: s for each pixel, and, by its
    kernel and padding, a few more or less at the ends.
    """
    near = round(cells / side)
    factors = sorted((s for s in (near - 1, near, near + 1) if s > 1), key=lambda s: abs(cells - s * side))
    return [Fraction(1, s) for s in factors if abs(beyond(cells, side, s)) <= 3 * s]


def beyond(cells: int, side: int, factor: int) -> int:
    """Cells beside the steps between pixels: the width of a transposed kernel without padding."""
    return cells - factor * (side - 1)


def beyond_alike(side: Sequence[int], sides: Sequence[int], stride: Fraction) -> bool:
    """Whether a transposed kernel, the same along all axes, leaves these cells."""
    return len({beyond(cells, pixels, stride.denominator) for cells, pixels in zip(side, sides, strict=True)}) == 1


def nearest(ratio: Fraction, most: int) -> list[int]:
    """Products of 2, 3, 5 and 7 up to `most`, the nearest to the ratio first: what a few layers with strides multiply to."""
    candidates = [s for s in range(1, most + 1) if largest_prime(s) <= 7]
    return sorted(candidates, key=lambda s: (abs(s - ratio), -s))[:MOST_STRIDES]


def largest_prime(number: int) -> int:
    """What is left of a number without its factors 2, 3, 5 and 7; at most 7 if nothing is."""
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number


def spare(cells: int, side: int, stride: int) -> int:
    """Pixels over beside the steps between cells: the width of a kernel without padding."""
    return side - stride * (cells - 1)


def least_spare(side: int, stride: int) -> int:
    """A stride above 1 hardly has more padding than it needs; a full convolution, by all that its kernel reaches, is known."""
    return -(side // 2) if stride == 1 else -stride


def spare_alike(side: Sequence[int], sides: Sequence[int], stride: int) -> bool:
    """Whether kernel and padding, the same along all axes, leave these cells: up to what the stride rounds away."""
    over = [spare(cells, pixels, stride) for cells, pixels in zip(side, sides, strict=True)]
    enough = all(extra >= least_spare(pixels, stride) for extra, pixels in zip(over, sides, strict=True))
    return enough and max(over) - min(over) < stride
