"""Outputs that were declared to be boxes or keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import Tensor

from erlangen.auditing.declared import Declared
from erlangen.auditing.model import Adapter
from erlangen.auditing.output_kinds import COORDINATES, FORMATS, kind_of, parse_output
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.wrapped import Wrapped
from erlangen.errors import ErlangenError
from erlangen.symmetries.boxes import Boxes, Format, pair_boxes
from erlangen.symmetries.rotation import Rotation
from erlangen.symmetries.symmetry import Symmetry


def parse_boxes(output: str | None) -> Boxes | None:
    """What `boxes:xyxy,normalized` or `keypoints` say; None for other kinds of outputs."""
    if kind_of(output) not in COORDINATES:
        return None
    kind, words = parse_output(cast(str, output))
    is_points = kind == "keypoints"
    form = "xy" if is_points else next(word for word in words if word in FORMATS)
    return Boxes(cast(Format, form), "normalized" in words, is_points or "ordered" in words, signed="signed" in words)


@dataclass(frozen=True)
class BoxReading:
    """How boxes are read. shape: of the output that it is for."""

    boxes: Boxes
    shape: tuple[int, ...]

    @property
    def output(self) -> str:
        return "keypoints" if self.boxes.format == "xy" else "boxes"

    def __str__(self) -> str:
        """`output read as boxes (xyxy, normalized)`"""
        return f"output read as {self.boxes}"

    def covers(self, y: Tensor) -> bool:
        return y.ndim == 2 and y.shape[1] == self.shape[1]


@dataclass(frozen=True)
class BoxAction:
    """Boxes (N, D) move with the picture, by `Symmetry.motion`. reading: None until it was tried where coordinates begin."""

    boxes: Boxes
    reading: BoxReading | None = None

    def __str__(self) -> str:
        return "" if self.reading is None else str(self.reading)

    def fitted(self, symmetry: Symmetry, x: Tensor, y: Tensor) -> tuple[Symmetry, BoxAction]:
        """All shifts act on coordinates, but only quarter turns keep a box upright."""
        upright = isinstance(symmetry, Rotation) and self.boxes.width == 4
        return replace(symmetry, quarter=True) if upright else symmetry, self  # type: ignore[call-arg]

    def readings(self, symmetry: Symmetry, x: Tensor, y: Tensor) -> list[tuple[Symmetry, BoxAction]]:
        """Coordinates from the edge of the first pixel, and from its center."""
        forms = [replace(self.boxes, centers=centers) for centers in (False, True)]
        return [(symmetry, BoxAction(form, BoxReading(form, tuple(y.shape)))) for form in forms]

    def align(self, symmetry: Symmetry, y: Tensor, y_g: Tensor, g: Any, x: Tensor) -> tuple[Tensor, Tensor] | None:
        if self.reading is None or not self.reading.covers(y):  # of an inner layer
            return symmetry.align(y, y_g, g, x)
        motion = symmetry.motion(x, g)
        return None if motion is None else pair_boxes(y, y_g, self.reading.boxes, motion)


@dataclass(frozen=True)
class BoxAdapter(Wrapped):
    """An adapter whose outputs are rows of boxes (N, D): (D,) becomes (1, D), and all axes but the last are one.

    shape: of one output of the model, before it was changed.
    """

    shape: tuple[int, ...]

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        """Outputs of inner layers, which have another form, stay as they are."""
        return [
            to_float(row).reshape(-1, row.shape[-1]) if row.ndim == len(self.shape) and row.shape[-1] == self.shape[-1] else row
            for row in self.inner.split(y, batch)
        ]


def to_float(y: Tensor) -> Tensor:
    """Whole pixels are amounts, not classes."""
    return y if y.is_floating_point() else y.double()


def as_boxes(check: SymmetryCheck, output: str | None) -> SymmetryCheck:
    """The check for outputs that were declared as boxes; other checks as they are."""
    boxes = parse_boxes(output)
    return check if boxes is None else SymmetryCheck(Declared(check.symmetry, BoxAction(boxes)))


def box_adapter(adapter: Adapter, x: Any, y: Tensor, output: str) -> BoxAdapter:
    """Raises ErlangenError if y, an output for x, cannot be boxes."""
    boxes = parse_boxes(output)
    assert boxes is not None
    if not isinstance(x, Tensor) or x.ndim != 3:
        raise ErlangenError(f"only outputs for images can be read as {boxes}")
    if not y.ndim or y.shape[-1] < boxes.width or y.is_complex():
        raise ErlangenError(
            f"an output of shape {tuple(y.shape)} cannot be read as {boxes}: its last axis must hold {boxes.width} coordinates"
        )
    return BoxAdapter(adapter, tuple(y.shape))
