"""Padding: the images, what they show and what the splits share, and the images moved and reshuffled."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from erlangen.data.red_green import BOX, SHIFT, RedGreen, Split, by_order, by_place, gap, red_green
from erlangen.experiments.padding.tasks import SPLITS, Data, Protocol
from erlangen.records.runs import Job, Measurement
from erlangen.symmetries.translation import Translation

Pair: TypeAlias = tuple[Tensor, Tensor]  # images (N, 3, 32, 32) and labels (N,), on the device


class Images:
    """What a net is trained, tested, probed and shifted on. All seeds see the same images.

    A GPU keeps them for the next net. A CPU, whose processes share one memory, makes them again.
    """

    def __init__(self, protocol: Protocol, train: int, validation: int, test: int, device: str) -> None:
        self.seen, self.unseen = (splits(name, train, validation, test) for name in (protocol, "leak-free"))
        self.crossed = crossed_split(self.unseen)
        self.device = device
        self.kept: dict[str, Tensor] = {}

    def pair(self, name: str, unseen: bool = False) -> Pair:
        """A split of the protocol, or of the leak-free one. name: one of SPLITS."""
        split: Split = getattr(self.unseen if unseen else self.seen, name)
        return self.keep(f"{name} {unseen}", lambda: split.images), split.labels.to(self.device)

    def probed(self) -> Tensor:
        """The images of `crossed`, on the device."""
        return self.keep("crossed", lambda: self.crossed.images)

    def moved(self, rows: int) -> Tensor:
        """The validation images with their boxes moved by this many rows, see `moved`."""
        return self.keep(f"moved {rows}", lambda: moved(self.seen.validation, rows))

    def keep(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """The images that `make` returns, on the device.

        Channels-last: each pixel's channels side by side, three to ten times faster for so few channels.
        """
        if name in self.kept:
            return self.kept[name]
        pixels = make().to(self.device, memory_format=torch.channels_last)
        if self.device != "cpu":
            self.kept[name] = pixels
        return pixels


images = functools.lru_cache(maxsize=1)(Images)  # of the last recipe that this process computed


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
