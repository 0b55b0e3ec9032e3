"""Padding: the images, what they show and what the splits share, and the images moved and reshuffled."""

from __future__ import annotations

import functools
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from erlangen.data.red_green import BOX, SHIFT, RedGreen, Split, by_order, by_place, gap, red_green
from erlangen.experiments.padding.tasks import SPLITS, Data, Protocol
from erlangen.records.runs import Job, Measurement
from erlangen.symmetries.translation import Translation


@functools.cache
def splits(protocol: Protocol, train: int, validation: int, test: int) -> RedGreen:
    return red_green(protocol, train, validation, test)


def data(task: Data, job: Job) -> list[Measurement]:
    """What the images of every split show, what each cue alone scores, and what they share with training."""
    found = []
    for protocol in get_args(Protocol):
        images = splits(protocol, task.train, task.validation, task.test)
        seen = set(as_bytes(images.train.images))
        for name in SPLITS:
            found += inspect(getattr(images, name), f"{protocol}_{name}", seen, swapped=name == "test")
    return found


def inspect(split: Split, prefix: str, seen: set[bytes], swapped: bool) -> list[Measurement]:
    """One split. seen: the training images; test images are looked for with their boxes back in the band of their class."""
    order, place = by_order(split.images) == split.labels, by_place(split.boxes) == split.labels  # (N,)
    mirrored = by_order(split.images.flip(3)) == split.labels
    # 16 lit pixels in each of red and green, none in blue: the image holds the boxes and nothing else
    two_boxes = (split.images.sum(dim=(2, 3)) == torch.tensor([BOX * BOX, BOX * BOX, 0])).all(1)
    as_stated = order & (place != swapped) & two_boxes
    shown = moved(split, -SHIFT) if swapped else split.images
    return [
        Measurement(f"{prefix}_images", len(split), "images"),
        Measurement(f"{prefix}_as_stated", int(as_stated.sum()), "images"),
        Measurement(f"{prefix}_by_order", 100 * float(order.float().mean()), "%"),
        Measurement(f"{prefix}_by_order_mirrored", 100 * float(mirrored.float().mean()), "%"),
        Measurement(f"{prefix}_by_place", 100 * float(place.float().mean()), "%"),
        Measurement(f"{prefix}_least_gap", int(gap(split.boxes).min()), "pixels"),
        Measurement(f"{prefix}_in_training", sum(image in seen for image in as_bytes(shown)), "images"),
        Measurement(f"{prefix}_samples", sample(split), "label, x1, y1, x2, y2"),
    ]


def moved(split: Split, rows: int) -> Tensor:
    """The images with the boxes `rows` rows towards the other class's band: down for class 0, up for class 1."""
    down, up = (Translation("zeros").act(split.images, (sign * rows, 0)) for sign in (1, -1))
    return torch.where((split.labels == 0).view(-1, 1, 1, 1), down, up)


def sample(split: Split, images: int = 4) -> tuple[float, ...]:
    """The first images' labels and boxes, flat: enough to draw them."""
    rows = torch.cat([split.labels[:images, None], split.boxes[:images]], dim=1)
    return tuple(float(value) for value in rows.flatten().tolist())


def as_bytes(images: Tensor) -> list[bytes]:
    """Each image's pixels, to count images that are equal."""
    return [image.tobytes() for image in images.bool().numpy()]


def crossed_split(images: RedGreen) -> Split:
    """Validation and test images in one shuffled split: in it the boxes' height says nothing about their order."""
    parts = (images.validation, images.test)
    order = torch.from_numpy(np.random.RandomState(0).permutation(sum(len(part) for part in parts)))
    pixels, labels, boxes = (torch.cat([getattr(part, name) for part in parts])[order] for name in ("images", "labels", "boxes"))
    return Split(pixels, labels, boxes)
