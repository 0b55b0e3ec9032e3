"""How a model can be called that returns a list with a record or a tensor for each input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from erlangen.auditing.calling import ModelError, select_tensor
from erlangen.auditing.detector import DETECTOR, OUTPUT, Detector, DetectorAdapter, describe_others
from erlangen.auditing.model import Model
from erlangen.auditing.records import STACKED, TENSORS, Stacked, StackedTensors

Way = tuple[Model, tuple[str, ...]]


def keeping(model: Model, returned: list[Any]) -> Model:
    """The model, which also appends to a list what its function returns."""
    return replace(model, select=lambda output: returned.append(output) or select_tensor(output, model.select))  # type: ignore[func-returns-value]


def record_way(model: Model, notes: tuple[str, ...], x: Any, record: Mapping[str, Any]) -> Way | None:
    """The first way to read the records of a model that works; None if there is none. record: the first one."""
    return next((way for way in record_ways(model, notes, record) if works(way[0], x)), None)


def record_ways(model: Model, notes: tuple[str, ...], record: Mapping[str, Any]) -> Iterator[Way]:
    """As detections, and as tensors of one shape."""
    detector = replace(model, function=Detector(model.function), adapter=DetectorAdapter(model.adapter), output=OUTPUT)
    yield detector, (*notes, " ".join(part for part in (DETECTOR, describe_others(record)) if part))
    yield replace(model, function=Stacked(model.function)), (*notes, STACKED)


def tensor_way(model: Model, notes: tuple[str, ...], x: Any) -> Way | None:
    """The way to read a list with a tensor for each input; None if it is none."""
    way = replace(model, function=StackedTensors(model.function)), (*notes, TENSORS)
    return way if works(way[0], x) else None


def works(model: Model, x: Any) -> bool:
    """Whether a call with one input works, and one with two does not return a list of another length.

    A list of heads, [{"logits": (B, K)}], looks the same for a single input.
    """
    try:
        model.once([x])
    except Exception:
        return False
    try:
        model.once([x, x])
    except ModelError:
        return False
    except Exception:  # it takes one input at a time
        return True
    return True
