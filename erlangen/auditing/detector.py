"""Object detectors that return a record for each image, as torchvision's do: boxes (N, 4), scores (N,) and labels (N,)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError
from erlangen.auditing.choice import shortened
from erlangen.auditing.records import records_of
from erlangen.auditing.rows import codes
from erlangen.auditing.wrapped import Wrapped

BOXES, SCORES, LABELS = "boxes", "scores", "labels"
LABEL_COLUMNS = 16  # of ±1 for each label
OUTPUT = "boxes:xyxy"  # how boxes are read unless the user says otherwise
DETECTOR = (
    "The model returns a list with a record for each image. Its boxes are judged, each in a row with its score and its label, as "
    f"far as there are any (a label is {LABEL_COLUMNS} columns of ±1). They are read as boxes:xyxy unless you declare another "
    "kind."
)


def describe_others(record: Mapping[str, Any]) -> str:
    """`Its masks and keypoints are not judged.`; "" for a record with nothing else than boxes, scores and labels."""
    others = [str(name) for name, value in record.items() if name not in (BOXES, SCORES, LABELS) and isinstance(value, Tensor)]
    verb = "are" if len(others) > 1 or "".join(others).endswith("s") else "is"
    return f"Its {shortened(others)} {verb} not judged." if others else ""


@dataclass(frozen=True)
class Detector:
    """A detector whose records become one tensor, named `boxes`: (ΣN, 1 + D), the number of the image before each detection."""

    function: Callable[..., Any]

    def __call__(self, batch: Tensor, *args: Any, **named: Any) -> dict[str, Tensor]:
        records = records_of(self.function(batch, *args, **named), len(batch))
        rows = [detections(record) for record in records]  # (N, D) each
        places = [torch.full_like(row[:, :1], place) for place, row in enumerate(rows)]
        return {BOXES: torch.cat([torch.cat(pair, 1) for pair in zip(places, rows, strict=True)])}


@dataclass(frozen=True)
class DetectorAdapter(Wrapped):
    """The adapter `inner` for what a `Detector` returns: (N, D) for each image, and a row of zeros for one without boxes."""

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        rows = [y[y[:, 0] == place, 1:] for place in range(len(batch))]
        return [row if len(row) else row.new_zeros(1, y.shape[1] - 1) for row in rows]


def detections(record: Mapping[str, Any]) -> Tensor:
    """One row for each detection, its box, score and label: (N, 4) to (N, 21). Raises ModelError for other records."""
    boxes = record.get(BOXES)
    if not isinstance(boxes, Tensor) or boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ModelError(f"a record without {BOXES} of shape (N, 4)")
    boxes = boxes if boxes.is_floating_point() else boxes.float()
    scores, labels = (record.get(name) for name in (SCORES, LABELS))
    parts = [boxes]
    if isinstance(scores, Tensor):
        parts.append(scores.reshape(len(boxes), -1 if len(boxes) else 1).to(boxes.dtype))
    if isinstance(labels, Tensor):
        parts.append(codes(labels.reshape(-1))[:, :LABEL_COLUMNS].to(boxes.dtype))
    return torch.cat(parts, 1)
