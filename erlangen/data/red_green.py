"""Red-green images: two boxes on black, whose class can be read from their order or from their height.

    class 0: red left of green, high        class 1: green left of red, low

In the training split both cues agree. The test split swaps the heights, so a network that reads the order keeps its accuracy, and
a network that reads the height loses all of it.

Source: UvA Deep Learning 1 (2024), assignment 2, after Kayhan & van Gemert, "On Translation Invariance in CNNs", CVPR 2020.
The images are generated: there is no file and no license.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from numpy.random import RandomState
from torch import Tensor

SIDE = 32  # pixels
BOX = 4  # pixels
SHIFT = 16  # pixels between the high and the low band
TOP = (7, 23)  # rows around which the upper edges of the boxes of class 0 and class 1 are drawn
LEAST_GAP = 5  # columns between the left edges of the boxes

Protocol = Literal["source", "leak-free"]
Place = tuple[int, int, int, int]  # x1, y1 (left box), x2, y2 (right box): columns and rows of the upper left corners


@dataclass(frozen=True)
class Split:
    """Images with their labels and the places of their boxes.

    images (N, 3, 32, 32) float32 in {0, 1}; labels (N,) int64: 0 red left of green, 1 green left of red; boxes (N, 4) int64:
    x1, y1, x2, y2 of the upper left corners, the left box first.
    """

    images: Tensor
    labels: Tensor
    boxes: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class RedGreen:
    """The splits of one protocol. Training and validation images have the training heights; test images have them swapped."""

    train: Split
    validation: Split
    test: Split


def draw(rng: RandomState, label: int) -> Place:
    """The boxes of one image, drawn in the source's order and from its ranges (it truncates ±28/6 to ±4)."""
    spread = int(28 / 6)
    x1 = int(rng.randint(10))
    y1 = int(rng.randint(-spread, spread)) + TOP[label]
    while True:
        x2 = int(rng.randint(x1, 28))
        y2 = int(rng.randint(-spread, spread)) + TOP[label]
        if abs(x1 - x2) >= LEAST_GAP:
            return x1, y1, x2, y2


def swap_height(place: Place, label: int) -> Place:
    """The same boxes in the other class's band: class 0 moves 16 rows down, class 1 moves 16 rows up."""
    rows = SHIFT if label == 0 else -SHIFT
    x1, y1, x2, y2 = place
    return x1, y1 + rows, x2, y2 + rows


def paint(boxes: Tensor, labels: Tensor) -> Tensor:
    """The images of `boxes` (N, 4): the left box red for label 0 and green for label 1, the right box the other color."""
    images = torch.zeros(len(labels), 3, SIDE, SIDE)  # (N, 3, H, W)
    for image, (x1, y1, x2, y2), label in zip(images, boxes.tolist(), labels.tolist(), strict=True):
        image[label, y1 : y1 + BOX, x1 : x1 + BOX] = 1
        image[1 - label, y2 : y2 + BOX, x2 : x2 + BOX] = 1
    return images


def split(n: int, draw_place: Callable[[int], Place], swapped: bool = False) -> Split:
    """n images of alternating classes, beginning with class 0, at the places that `draw_place(label)` returns."""
    labels = torch.arange(n) % 2  # (N,)
    places = [draw_place(label) for label in labels.tolist()]
    if swapped:
        places = [swap_height(place, label) for place, label in zip(places, labels.tolist(), strict=True)]
    boxes = torch.tensor(places, dtype=torch.int64).reshape(n, 4)
    return Split(paint(boxes, labels), labels, boxes)


def source_split(n: int, swapped: bool = False, seed: int = 42) -> Split:
    """A split as the source makes it. Every split starts from the same seed, so a shorter one is a prefix of a longer one."""
    rng = RandomState(seed)
    return split(n, lambda label: draw(rng, label), swapped)


def unseen_split(n: int, seen: Split, seed: int, swapped: bool = False) -> Split:
    """n different images whose boxes, before the heights are swapped, do not occur in `seen`.

    Raises ValueError if too few are left: 1000 training images of a class leave about 90 % of its 11 840 possible images.
    """
    rng = RandomState(seed)
    taken = {(label, *place) for label, place in zip(seen.labels.tolist(), seen.boxes.tolist(), strict=True)}

    def draw_unseen(label: int) -> Place:
        for _ in range(1000):
            place = draw(rng, label)
            if (label, *place) not in taken:
                taken.add((label, *place))
                return place
        raise ValueError(f"found no unseen red-green image in 1000 draws: request fewer than {n}, or a smaller training set")

    return split(n, draw_unseen, swapped)


def red_green(
    protocol: Protocol = "source", train: int = 2000, validation: int = 1000, test: int = 1000, seed: int = 42
) -> RedGreen:
    """The training, validation and test split of a protocol, with this many images each.

    source: NumPy's legacy generator, seeded with `seed` at the start of *each* split. The validation images are therefore the
    first training images, and every test image is a training image with its boxes moved by 16 rows.
    leak-free: the same training images; validation and test images come from another stream, and their boxes do not occur in
    training or in each other, at either height.
    """
    training = source_split(train, seed=seed)
    if protocol == "source":
        return RedGreen(training, source_split(validation, seed=seed), source_split(test, swapped=True, seed=seed))
    unseen = unseen_split(validation + test, training, seed=seed + 1)
    held_out = Split(unseen.images[:validation], unseen.labels[:validation], unseen.boxes[:validation])
    rest, labels = unseen.boxes[validation:], unseen.labels[validation:]
    swapped = [swap_height((x1, y1, x2, y2), c) for (x1, y1, x2, y2), c in zip(rest.tolist(), labels.tolist(), strict=True)]
    boxes = torch.tensor(swapped, dtype=torch.int64).reshape(test, 4)
    return RedGreen(training, held_out, Split(paint(boxes, labels), labels, boxes))


def center_row(boxes: Tensor) -> Tensor:
    """The mean row (N,) of the two boxes' centers, in pixels: the height that the training split confounds with the order."""
    return (boxes[:, 1] + boxes[:, 3]) / 2 + (BOX - 1) / 2


def gap(boxes: Tensor) -> Tensor:
    """The distance (N,) between the left edges of the two boxes, in pixels."""
    return boxes[:, 2] - boxes[:, 0]


def by_place(boxes: Tensor) -> Tensor:
    """The labels (N,) of a classifier that sees only the height: class 0 in the upper half, class 1 in the lower."""
    return (center_row(boxes) > (SIDE - 1) / 2).long()


def by_order(images: Tensor) -> Tensor:
    """The labels (N,) of a classifier that sees only the order: class 0 if the leftmost colored column is red."""
    lit = images.amax(dim=2)  # (N, 3, W)
    leftmost = torch.where(lit > 0, torch.arange(lit.shape[-1]), lit.shape[-1]).amin(dim=-1)  # (N, 3)
    return (leftmost[:, 1] < leftmost[:, 0]).long()
