"""Volumes, boxes and permuted classes: models that keep and break their symmetries, and small faults that these must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from typing import Any

import numpy as np
import torch
from auditing.oracles.boxes import Circle, Extents, moments
from torch import Tensor
from torch.nn import functional

from erlangen.auditing.box_outputs import BoxAction, BoxReading
from erlangen.auditing.declared import Declared
from erlangen.auditing.permuted import ClassAction
from erlangen.symmetries import motion
from erlangen.symmetries.boxes import Boxes
from erlangen.symmetries.crop import CroppedTranslation
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.rotation import QuarterTurns, Rotation
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import Translation
from erlangen.symmetries.volume_reflection import VolumeReflection
from erlangen.symmetries.volume_turns import VolumeTurns
from support.images import image
from support.witnesses import Witness, ramp

XYXY, NORMALIZED, POINTS = Boxes(), Boxes("cxcywh", normalized=True), Boxes("xy", ordered=True)


def boxed(symmetry: Symmetry, boxes: Boxes = XYXY) -> Declared:
    """The symmetry of boxes that have been read."""
    return Declared(symmetry, BoxAction(boxes, BoxReading(boxes, (3, boxes.width))))


def of_one(model: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: model(x[None])[0]


def volume(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5


def blurred(x: Tensor, axes: tuple[int, ...] = (1, 2, 3)) -> Tensor:
    """Each voxel and its neighbors, wrapped around: alike in all directions, if along all axes."""
    return sum((x.roll(by, axis) for axis in axes for by in (1, -1)), -3 * x).tanh()


def with_next(x: Tensor) -> Tensor:
    """Unlike its mirror image along each axis."""
    return (x + sum(axis * x.roll(1, axis) for axis in (1, 2, 3))).tanh()


def halved(x: Tensor) -> Tensor:
    return functional.avg_pool3d(x[None], 2)[0].tanh()


def cubes(x: Tensor) -> Tensor:
    """(1 + d·h·w, C), behind a token of all."""
    rows = halved(x).flatten(1).T
    return torch.cat([rows.mean(0, keepdim=True), rows])


def sides(x: Tensor) -> Tensor:
    """Two classes that a mirror exchanges, and one that it keeps."""
    left = (x * x.roll(1, -1).sin() * x.roll(3, -1)).sum((1, 2))[0]
    right = (x * x.roll(-1, -1).sin() * x.roll(-3, -1)).sum((1, 2))[0]
    return torch.stack([left, right, left * right])


def four(x: Tensor) -> Tensor:
    """Class k is what a picture turned k times shows: one turn more makes class k + 1 into class k."""
    return torch.stack([sides(torch.rot90(x, k, (-2, -1)))[0] for k in range(4)])


def by_right_side(y: Tensor) -> Tensor:
    return y[y[:, 2].argsort()]


def each_pixel(x: Tensor) -> Tensor:
    """A box around each pixel, by its values: those at the border leave."""
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=x.dtype) + 0.5 for side in x.shape[1:]), indexing="ij")
    size = 0.2 + x[0].sigmoid(), 0.2 + x[1].sigmoid()
    return torch.stack([columns - size[0], rows - size[1], columns + size[0], rows + size[1]], -1).flatten(0, 1)


def either(g: tuple[int, ...], h: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that two reflections reverse, one after the other."""
    return tuple(sorted(set(g) ^ set(h)))


SPOT = functional.pad(image(3, 5, 5), (6, 5, 5, 6))  # off the middle of 16 x 16
OBLONG, CUBE = image(3, 8, 12), volume(2, 6, 6, 6)
extents, centers = of_one(Extents()), of_one(lambda x: moments(x)[0])
WITNESSES: dict[str, tuple[Witness, ...]] = {
    "boxes": (
        Witness(boxed(Reflection()), OBLONG, (extents,), (lambda x: extents(ramp(x)),)),
        Witness(
            boxed(Reflection("up-down"), NORMALIZED), OBLONG, (of_one(Extents("cxcywh", True)),), (of_one(Extents("cxcywh")),)
        ),
        Witness(boxed(QuarterTurns()), OBLONG, (extents,), (lambda x: extents(ramp(x)),)),
        Witness(boxed(QuarterTurns(), NORMALIZED), OBLONG, (of_one(Extents("cxcywh", True)),), ()),
        Witness(boxed(QuarterTurns(), replace(XYXY, centers=True)), OBLONG, (of_one(Extents(first=0)),), (extents,)),
        Witness(boxed(Translation("zeros")), SPOT, (extents,), (lambda x: extents(ramp(x)),)),
        Witness(boxed(Translation(), POINTS), image(3, 16, 16), (of_one(Circle()),), (of_one(Circle(lag=True)),)),
        Witness(boxed(CroppedTranslation()), functional.pad(image(3, 4, 4), (6,) * 4), (extents,), (lambda x: extents(ramp(x)),)),
        Witness(boxed(Rotation()), SPOT, (lambda x: extents(x - x[:, :1, :1]),), ()),
    ),
    "set of boxes": (
        Witness(
            boxed(Reflection()), OBLONG, (lambda x: by_right_side(extents(x)),), (lambda x: by_right_side(extents(ramp(x))),)
        ),
        Witness(boxed(Translation("zeros")), SPOT, (lambda x: functional.pad(extents(x), (0, 0, 0, 2)),), ()),
    ),
    "leaving boxes": (Witness(boxed(Translation("zeros")), image(3, 8, 12), (each_pixel,), ()),),
    "volume turns": (
        Witness(VolumeTurns(), CUBE, (blurred, halved, cubes), (with_next, lambda x: blurred(x, (2, 3)))),
        Witness(VolumeTurns(), volume(2, 4, 6, 8), (blurred, halved), (with_next,)),
        Witness(VolumeTurns(), CUBE, (lambda x: x.square().sum((1, 2, 3)),), (lambda x: x[0, 0].flatten(),)),
    ),
    "volume reflection": (
        Witness(VolumeReflection(), CUBE, (blurred, lambda x: blurred(x, (2, 3)), cubes), (with_next,), {"compose": either}),
        Witness(VolumeReflection(), volume(2, 4, 6, 8), (blurred, lambda x: x[0].tanh()), (with_next,)),
    ),
    "volume shifts": (
        Witness(Translation(), volume(2, 4, 6, 8), (with_next, halved, lambda x: with_next(x)[0]), (ramp,)),
        Witness(Translation("zeros"), volume(2, 8, 8, 8), (lambda x: x.tanh(), lambda x: halved(x).flatten(1).T), (ramp,)),
    ),
    "permuted classes": (
        Witness(Declared(Reflection(), ClassAction(((0, 1),))), OBLONG, (sides,), (lambda x: sides(x)[[0, 2, 1]],)),
        Witness(Declared(QuarterTurns(), ClassAction(((3, 2, 1, 0),))), SPOT, (four,), (lambda x: four(x).flip(0),)),
    ),
}


def exchanged(self: Boxes, sides: Any) -> Any:
    return unit(self, sides[::-1])


def signed() -> tuple[Any, ...]:
    """All signed permutations of the axes, mirrors among them."""
    return tuple(product(permutations(range(3)), product((False, True), repeat=3)))[1:]


unit, quarter = Boxes.unit, motion.quarter_turns
MUTATIONS: dict[str, tuple[str, str, Any]] = {
    "boxes not mirrored": ("boxes", "reflection.Reflection.motion", lambda self, x, g: motion.still(x)),
    "boxes turned back": ("boxes", "rotation.quarter_turns", lambda x, k: quarter(x, -k)),
    "boxes rotated back": ("boxes", "rotation.rotation", lambda angle: motion.rotation(-angle)),
    "boxes shifted back": ("boxes", "translation.shift", lambda x, g, border: motion.shift(x, (-g[0], -g[1]), border)),
    "boxes of a window stay": ("boxes", "crop.shift", lambda x, g, border: motion.still(x)),
    "sizes not turned": ("boxes", "motion.Motion.of_sizes", lambda self, sizes: sizes),
    "units forgotten": ("boxes", "boxes.Boxes.unit", lambda self, sides: (1.0, 1.0)),
    "units of the other side": ("boxes", "boxes.Boxes.unit", exchanged),
    "a circle without end": ("boxes", "boxes.whole_turns", lambda difference, side: torch.zeros_like(difference)),
    "boxes not matched": ("set of boxes", "boxes.linear_sum_assignment", lambda cost: (np.arange(len(cost)),) * 2),
    "boxes matched at will": ("set of boxes", "boxes.costs", lambda y, y_g, boxes, circle: torch.zeros(len(y), len(y_g))),
    "padding moves": ("set of boxes", "boxes.padding", lambda y, boxes: torch.zeros(len(y), dtype=torch.bool)),
    "what leaves is compared": ("leaving boxes", "boxes.in_sight", lambda y, expected, actual, boxes, way: (expected, actual)),
    "volumes mirrored": ("volume turns", "volume_turns.ROTATIONS", signed()),
    "maps of volumes do not turn": ("volume turns", "volume_turns.on_grid", lambda y, x, change, reading: y),
    "turns without their flips": (
        "volume turns", "volume_turns.VolumeTurns.act", lambda self, x, g: x.permute(0, *(1 + axis for axis in g[0])),
    ),
    "one axis turned alone": (
        "volume turns", "volume_turns.VolumeTurns.generators", lambda self, x: [((0, 2, 1), (False, False, False))],
    ),
    "maps mirrored along another axis": (
        "volume reflection", "volume_reflection.on_grid", lambda y, x, change, reading: y if y.ndim < 2 else y.flip(-1),
    ),
    "volumes mirrored along the last axis alone": (
        "volume reflection", "volume_reflection.VolumeReflection.act", lambda self, x, g: x.flip(-1),
    ),
    "depth never shifted": ("volume shifts", "translation.Translation.act", lambda self, x, g: x.roll(g[-2:], (-2, -1))),
    "maps of volumes shifted back": (
        "volume shifts", "grid.wrapped", lambda cells, by, side, step: (torch.arange(cells), (torch.arange(cells) - by) % cells),
    ),
    "a reflection is no power": ("permuted classes", "reflection.Reflection.power", lambda self, g: 0),
    "turns are powers of the inverse": ("permuted classes", "rotation.QuarterTurns.power", lambda self, g: -g),
}  # fmt: skip
