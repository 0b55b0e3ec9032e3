"""What each row of the image meets on its way to the pool, counted along one axis; the two axes of a net are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erlangen.experiments.padding_causes.arms import KERNEL, LAYERS, SIDE, Axis, Border, Mode

BOX = 4  # pixels


def paths(border: Border, row: int, bounded: bool = True) -> set[tuple[int, ...]]:
    """The ways of a row of the image to the pool: which row of the kernel it meets in each layer.

    A layer's output m reads the row r of its input with the row a of its kernel where r = s·m - before + a. bounded: outputs
    that do not exist, and those that are not pooled, end a path; otherwise the map has no border.
    """
    ends: list[tuple[tuple[int, ...], int]] = [((), row)]
    for layer in range(LAYERS):
        (before, _), stride = border.paddings()[layer], border.strides()[layer]
        there = border.pooled() if layer == LAYERS - 1 else range(border.sides()[layer + 1])
        steps = ((path, at + before - a, a) for path, at in ends for a in range(KERNEL))
        ends = [
            ((*path, a), to // stride) for path, to, a in steps if to % stride == 0 and (to // stride in there or not bounded)
        ]
    return {path for path, _ in ends}


def never_met(border: Border, tops: Sequence[int]) -> float:
    """The share of paths that the border cuts off, over the rows of boxes whose upper edges are at `tops`.

    0: every weight meets every row, as far from the border as near it (Kayhan & van Gemert, CVPR 2020).
    """
    weights: dict[int, int] = {}
    for top in tops:
        for row in range(top, top + BOX):
            weights[row] = weights.get(row, 0) + 1
    met, all_ = (sum(n * len(paths(border, row, bounded)) for row, n in weights.items()) for bounded in (True, False))
    return 1 - met / all_


def copied_places(border: Border, axis: Axis) -> frozenset[int]:
    """The places of a box along an axis, of its first pixel, at which some layer's padding may copy something of it.

    Everything else is black, and a convolution without bias keeps it black, so that elsewhere the padding copies zeros alone.
    """
    return frozenset(place for place in range(SIDE - BOX + 1) if any(copies_box(border, border.along(axis), place)))


def copies_box(border: Border, mode: Mode, place: int) -> Iterator[bool]:
    """For each layer, whether the padding of its input copies a line that the box has lit, and the next layer reads that copy."""
    first, last = place, place + BOX - 1  # the lines that may be lit
    for layer in range(LAYERS):
        size, outputs = border.sides()[layer : layer + 2]
        before, stride = border.paddings()[layer][0], border.strides()[layer]
        yield any(first <= line <= last for line in read_copies(mode, size, before, stride, outputs))
        first, last = max(0, -((KERNEL - 1 - before - first) // stride)), min(outputs - 1, (last + before) // stride)


def read_copies(mode: Mode, size: int, width: int, stride: int, outputs: int) -> set[int]:
    """The lines of the map whose copies beyond the border are read by some output."""
    outside = [*range(-width, 0), *range(size, stride * (outputs - 1) - width + KERNEL)]
    return {source(position, size, mode) for position in outside} if mode != "zeros" else set()


def source(position: int, size: int, mode: Mode) -> int:
    """The line that stands at a position beyond the border."""
    if mode == "replicate":
        return min(max(position, 0), size - 1)
    if mode == "circular":
        return position % size
    return -position if position < 0 else 2 * (size - 1) - position
