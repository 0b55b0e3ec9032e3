"""Claim C1: which terms of a convolution are outside the image, and which values padding gives them."""

from __future__ import annotations

from dataclasses import dataclass

from erlangen.nn.padding import OUTSIDE, Padding, check_width, output_size, source_index


@dataclass(frozen=True)
class Term:
    """One product in the sum of an output pixel: weight[kernel] · input[reads].

    kernel: (a, b). position: (i, j) in the coordinates of the image, outside it if negative or too large. reads: the input pixel
    (i, j), or None if padding supplies a 0. outside: whether the position is outside the image.
    """

    kernel: tuple[int, int]
    position: tuple[int, int]
    reads: tuple[int, int] | None
    outside: bool


def terms(
    pixel: tuple[int, int],
    size: tuple[int, int],
    kernel_size: int,
    padding: Padding,
    stride: int = 1,
    flip: bool = False,
) -> list[Term]:
    """The kernel_size² terms of output pixel (i, j) on an image of `size` (H, W).

        correlation (`conv2d`)     y[i, j] = Σ_{a,b} w[a, b] · x[s·i + a - p, s·j + b - p]
        true convolution (flip)    y[i, j] = Σ_{a,b} w[k-1-a, k-1-b] · x[s·i + a - p, s·j + b - p]

    Raises ValueError for a pixel that the output does not have, and for an image that is too small for its padding.
    """
    check_width(size, padding.width, padding.mode)
    for axis in (0, 1):
        last = output_size(size[axis], kernel_size, stride, padding.width)
        if not 0 <= pixel[axis] < last:
            raise ValueError(f"output pixel {pixel} does not exist: axis {axis} has {last} pixels, counted from 0")
    products = []
    for a in range(kernel_size):
        for b in range(kernel_size):
            i, j = stride * pixel[0] + a - padding.width, stride * pixel[1] + b - padding.width
            rows, columns = source_index(i, size[0], padding.mode), source_index(j, size[1], padding.mode)
            outside = not (0 <= i < size[0] and 0 <= j < size[1])
            reads = None if OUTSIDE in (rows, columns) else (rows, columns)
            kernel = (kernel_size - 1 - a, kernel_size - 1 - b) if flip else (a, b)
            products.append(Term(kernel, (i, j), reads, outside))
    return products
