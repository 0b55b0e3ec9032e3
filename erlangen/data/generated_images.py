"""Ten signs on cluttered color backgrounds: a set of labeled images that needs no download.

Each sign is drawn upright, with a tilt of at most 12°, in a color, size, place and thickness of its own. Rotation turns some
signs into others: 6 into 9 by 180°, the upward arrow into the rightward one by -90°, N into Z by 90°. So orientation matters:
whoever treats all angles alike cannot tell the two signs of such a pair apart, and is right in at most 70 % of the images. Ring
and target look the same at every angle, the star at every 45°, N and Z at 180°. Some signs are too faint for anyone to see.

The images are generated: there is no file and no license.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from erlangen.data.labeled_images import LabeledImages

Points = tuple[tuple[float, float], ...]  # (x, y) from -1 to 1, y down: the corners of a line

TILT = 12.0  # degrees
FAINT = 0.02  # the smallest contrast between a sign and its background, in units of the range of values
FIELD, REACH = 256, 1.5  # pixels and half the side, in units of half a sign, of the maps of distances
DRAWN_AT_ONCE = 100  # images, with a random generator of their own, so that a smaller set is the beginning of a larger one


def _arc(x: float, y: float, radius: float, start: float, end: float) -> Points:
    """Part of a circle, counterclockwise between two angles in degrees."""
    angles = [math.radians(start + (end - start) * i / 24) for i in range(25)]
    return tuple((x + radius * math.cos(a), y - radius * math.sin(a)) for a in angles)


SIX: tuple[Points, ...] = (_arc(0, 0.38, 0.52, 0, 360), _arc(0.48, 0.38, 1.0, 105, 180))
UP: tuple[Points, ...] = (((0, 0.9), (0, -0.9)), ((-0.6, -0.25), (0, -0.9), (0.6, -0.25)))
N: tuple[Points, ...] = (((-0.65, 0.8), (-0.65, -0.8), (0.65, 0.8), (0.65, -0.8)),)


def _turned(lines: tuple[Points, ...], quarters: int) -> tuple[Points, ...]:
    """The lines rotated counterclockwise by quarter turns."""
    for _ in range(quarters):
        lines = tuple(tuple((y, -x) for x, y in line) for line in lines)
    return lines


SIGNS: dict[str, tuple[Points, ...]] = {
    "six": SIX,
    "nine": _turned(SIX, 2),
    "up": UP,
    "right": _turned(UP, 3),
    "N": N,
    "Z": _turned(N, 1),
    "ring": (_arc(0, 0, 0.75, 0, 360),),
    "target": (_arc(0, 0, 0.85, 0, 360), _arc(0, 0, 0.25, 0, 360)),
    "star": tuple((_arc(0, 0, 0.9, 45 * i, 45 * i)[0], _arc(0, 0, 0.9, 45 * i + 180, 45 * i + 180)[0]) for i in range(4)),
    "T": (((-0.8, -0.8), (0.8, -0.8)), ((0, -0.8), (0, 0.9))),
}
"""The lines of each sign, by the name of its class."""


def generated_images(count: int, seed: int, side: int = 32) -> LabeledImages:
    """Images (count, 3, side, side) of the ten SIGNS, whose classes take turns.

    The same seed and side give the same images; a smaller set is the beginning of a larger one.
    """
    sizes = [min(DRAWN_AT_ONCE, count - start) for start in range(0, count, DRAWN_AT_ONCE)]
    parts = [_draw(np.random.default_rng([seed, part]), side)[:size] for part, size in enumerate(sizes)]
    images = torch.cat(parts) if parts else torch.empty(0, 3, side, side, dtype=torch.uint8)
    return LabeledImages(images, torch.arange(count) % len(SIGNS), tuple(SIGNS))


def _draw(rng: np.random.Generator, side: int) -> Tensor:
    """DRAWN_AT_ONCE images (N, 3, side, side) uint8: background, two faint other signs, the sign and noise."""
    n, classes = DRAWN_AT_ONCE, torch.arange(DRAWN_AT_ONCE) % len(SIGNS)
    picture = _background(rng, n, side)
    for _ in range(2):
        others = torch.from_numpy(rng.integers(len(SIGNS), size=n))
        ink = _ink(rng, others, side, size=(0.15, 0.3), spread=0.8, tilt=180.0)
        picture = picture + _uniform(rng, -0.25, 0.25, n, 3, 1, 1) * ink
    ink = _ink(rng, classes, side, size=(0.5, 0.8), spread=0.2, tilt=TILT)
    contrast = _uniform(rng, FAINT, 0.8, n, 1, 1, 1) * _color(rng, n)
    noise = torch.from_numpy(rng.standard_normal((n, 3, side, side), dtype=np.float32)) * _uniform(rng, 0.02, 0.08, n, 1, 1, 1)
    return ((picture + contrast * ink + noise).clamp(0, 1) * 255).round().to(torch.uint8)


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> Tensor:
    return torch.from_numpy(rng.random(shape, dtype=np.float32)) * (high - low) + low


def _color(rng: np.random.Generator, n: int) -> Tensor:
    """Changes of color (N, 3, 1, 1), mostly to darker ones: a sign looks like ink on a bright ground."""
    color = _uniform(rng, -1, 0.3, n, 3, 1, 1)
    return color / color.abs().amax(1, keepdim=True).clamp(min=0.3)


def _background(rng: np.random.Generator, n: int, side: int) -> Tensor:
    """A color that changes smoothly over the image (N, 3, side, side)."""
    coarse = _uniform(rng, 0.45, 0.85, n, 3, 1, 1) + _uniform(rng, -0.2, 0.2, n, 3, 4, 4)
    return interpolate(coarse, (side, side), mode="bilinear", align_corners=True)


def _ink(
    rng: np.random.Generator, classes: Tensor, side: int, *, size: tuple[float, float], spread: float, tilt: float
) -> Tensor:
    """Signs of these classes (N,) as coverage (N, 1, side, side) from 0 to 1.

    size: half the height of a sign, as a range in units of half the image. spread: how far its center may lie from that of the
    image along each axis. tilt: the largest angle in degrees.
    """
    n = len(classes)
    scale, thickness = _uniform(rng, *size, n, 1, 1), _uniform(rng, 0.08, 0.2, n, 1, 1)
    right, down = _uniform(rng, -spread, spread, n, 1, 1), _uniform(rng, -spread, spread, n, 1, 1)
    angle = _uniform(rng, -tilt, tilt, n, 1, 1).deg2rad()
    place = (torch.arange(side) + 0.5) * (2 / side) - 1
    x, y = place - right, place[:, None] - down  # (N, 1, W), (N, H, 1)
    per_unit = FIELD / 2 / REACH
    c, s = angle.cos() * (per_unit / scale), angle.sin() * (per_unit / scale)
    column, row = c * x + (FIELD / 2 - s * y), s * x + (FIELD / 2 + c * y)  # (N, H, W), in the map of the sign
    within = torch.addcmul(column.clamp_(0, FIELD - 1).int(), row.clamp_(0, FIELD - 1).int(), torch.tensor(FIELD))
    here = _distances().take(within + classes[:, None, None] * FIELD**2)
    return ((thickness - here) * (scale * side / 2) + 0.5).clamp(0, 1)[:, None]  # one pixel from 1 to 0


@cache
def _distances() -> Tensor:
    """The distance from each point of the square from -REACH to REACH to the lines of each sign (10, FIELD, FIELD)."""
    place = ((torch.arange(FIELD) + 0.5) * (2 / FIELD) - 1) * REACH
    points = torch.stack(torch.meshgrid(place, place, indexing="xy"), -1)  # (FIELD, FIELD, 2): x, y
    return torch.stack([torch.stack([_to_line(points, line) for line in lines]).amin(0) for lines in SIGNS.values()])


def _to_line(points: Tensor, line: Points) -> Tensor:
    """The distance of points (..., 2) from the line through these corners."""
    corners = torch.tensor(line)
    start, step = corners[:-1], corners[1:] - corners[:-1]  # (segments, 2)
    offset = points[..., None, :] - start  # (..., segments, 2)
    along = ((offset * step).sum(-1) / step.square().sum(-1)).clamp(0, 1)
    return (offset - along[..., None] * step).square().sum(-1).sqrt().amin(-1)
