"""The images: the report's, those with a margin around the boxes, and both bands in one split for the probes."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from numpy.random import RandomState

from erlangen.data.red_green import LEAST_GAP, SIDE, Place, Protocol, Split, paint, red_green
from erlangen.experiments.padding_causes.reach import BOX

BLOCK = 8  # rows that the strides of the net multiply to: boxes moved by a multiple meet the same weights
SPREAD = 3  # rows that the upper edges of a band take
WIDEST = 10  # columns between the left edges of the boxes, at most
SEED = 42
PROTOCOLS: tuple[Protocol, ...] = ("source", "leak-free")


class Images(NamedTuple):
    """What a net is trained, validated, tested and probed on; `test` has the heights swapped, `crossed` has either height."""

    train: Split
    validation: Split
    test: Split
    crossed: Split


@functools.lru_cache(maxsize=1)
def report_images(train: int, validation: int, test: int) -> tuple[Images, Images]:
    """The report's splits, then leak-free ones, of whose validation and test images none occurs in training."""
    seen, unseen = (red_green(protocol, train, validation, test) for protocol in PROTOCOLS)
    crossed = shuffled(unseen.validation, unseen.test)
    return tuple(Images(kind.train, kind.validation, kind.test, crossed) for kind in (seen, unseen))  # type: ignore[return-value]


@functools.lru_cache(maxsize=1)
def framed_images(margin: int, train: int, validation: int, test: int) -> Images:
    """Images whose boxes keep a margin from every border. Few different ones exist, so that the splits share some.

    Class 0 is red left of green, class 1 green left of red and lower by a multiple of BLOCK rows; `test` swaps the heights.
    """
    trained, validated, tested = (
        framed_split(count, margin, SEED + k, swapped=k == 2) for k, count in enumerate((train, validation, test))
    )
    probed = [framed_split(count, margin, SEED + 3, swapped) for count, swapped in ((validation, False), (test, True))]
    return Images(trained, validated, tested, shuffled(*probed))


def framed_split(count: int, margin: int, seed: int, swapped: bool) -> Split:
    """`count` images of alternating classes. Boxes stand 5 to 10 columns apart, wherever the margin leaves room."""
    rng = RandomState(seed)
    labels = torch.arange(count) % 2  # (N,)
    boxes = torch.tensor([framed_place(rng, margin, (label == 1) != swapped) for label in labels.tolist()])  # (N, 4)
    return Split(paint(boxes, labels), labels, boxes)


def framed_place(rng: RandomState, margin: int, low: bool) -> Place:
    """The places of two boxes in the band of a class. Raises ValueError for a margin that leaves no room."""
    last = SIDE - BOX - margin  # the last place that keeps the margin
    lower = (last - margin - SPREAD + 1) // BLOCK * BLOCK
    if margin < 0 or lower < BLOCK:
        raise ValueError(f"a margin of {margin} pixels leaves no room for two bands: choose 0 to 9")
    gap = int(rng.randint(LEAST_GAP, min(WIDEST, last - margin) + 1))
    x1 = int(rng.randint(margin, last - gap + 1))
    y1, y2 = (margin + lower * low + int(rng.randint(SPREAD)) for _ in range(2))
    return x1, y1, x1 + gap, y2


def shuffled(*parts: Split) -> Split:
    """Several splits as one, in random order: with either height of each class the height says nothing about the order."""
    order = torch.from_numpy(RandomState(0).permutation(sum(map(len, parts))))
    pixels, labels, boxes = (torch.cat([getattr(part, name) for part in parts])[order] for name in ("images", "labels", "boxes"))
    return Split(pixels, labels, boxes)
