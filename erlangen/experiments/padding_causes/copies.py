"""What each padding copies of the boxes beyond the border of the image, and beyond that of the maps, counted over the images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor

from erlangen.data.red_green import Split, by_order, red_green
from erlangen.experiments.padding_causes.arms import SIDE, Axis, Border, Mode
from erlangen.experiments.padding_causes.reach import copied_places, source
from erlangen.experiments.padding_causes.tasks import Copies
from erlangen.records.runs import Job, Measurement

WIDTH = 2  # pixels of padding on each side, as the report has it
OUTSIDE = (*range(-WIDTH, 0), *range(SIDE, SIDE + WIDTH))
AXES: dict[Axis, int] = {"rows": 2, "columns": 3}  # of images (N, 3, H, W)


def copies(task: Copies, job: Job) -> list[Measurement]:
    """Counts over the report's training images and as many of its test images, whose heights are swapped."""
    shown = red_green("source", task.images, 1, task.images)
    parts = zip(*((split.images, split.labels, split.boxes) for split in (shown.train, shown.test)), strict=True)
    split = Split(*map(torch.cat, parts))
    counts = [count for mode in get_args(Mode) if mode != "zeros" for count in of_padding(split, mode)]
    return [Measurement("images", len(split), "images"), *(Measurement(name, value, unit) for name, value, unit in counts)]


def of_padding(split: Split, mode: Mode) -> Iterator[tuple[str, int, str]]:
    """Names, counts and units for one padding: along each axis by itself, then on all four sides."""
    for axis, dim in AXES.items():
        beside, opposite = copied_pixels(split.images, mode, dim)  # (N,) each
        places = split.boxes[:, 1::2] if axis == "rows" else split.boxes[:, ::2]
        deep = torch.isin(places, torch.tensor(sorted(copied_places(Border(width=WIDTH, mode=mode), axis)))).any(1)
        yield f"{mode}_{axis}_pixels", int((beside + opposite).sum()), "pixels"
        yield f"{mode}_{axis}_opposite", int(opposite.sum()), "pixels"
        yield f"{mode}_{axis}_images", int((beside + opposite > 0).sum()), "images"
        yield f"{mode}_{axis}_deep_images", int(deep.sum()), "images"
    padded = padded_images(split.images, mode)
    yield f"{mode}_larger", int((padded.sum((1, 2, 3)) > split.images.sum((1, 2, 3))).sum()), "images"
    yield f"{mode}_reordered", int((by_order(padded) != by_order(split.images)).sum()), "images"


def copied_pixels(images: Tensor, mode: Mode, dim: int) -> tuple[Tensor, Tensor]:
    """How many lit pixels of each image (N,) are copied beyond the border next to them, and beyond the opposite one."""
    lit = images.sum(1).sum(4 - dim)  # (N, lines): dim 2 counts each row, dim 3 each column
    beside = torch.zeros(2, len(images), dtype=torch.long)
    for position in OUTSIDE:
        line = source(position, SIDE, mode)
        across = (position < 0) != (line < SIDE // 2)
        beside[int(across)] += lit[:, line].long()
    return beside[0], beside[1]


def padded_images(images: Tensor, mode: Mode) -> Tensor:
    """(N, 3, 32, 32) -> (N, 3, 36, 36), line by line."""
    lines = torch.tensor([at if 0 <= at < SIDE else source(at, SIDE, mode) for at in range(-WIDTH, SIDE + WIDTH)])
    return images[:, :, lines][:, :, :, lines]
