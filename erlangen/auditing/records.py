"""Models that return a list with a record or a tensor for each input, [{"scores": (K,)}, ...], instead of a batch of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError

STACKED = "The model returns a list with a record for each input; what has the same name is judged together."
TENSORS = "The model returns a list with a tensor for each input."
LISTED = "The model takes a list of inputs instead of a batch."


@dataclass(frozen=True)
class OfList:
    """A function of a list of inputs, called with a batch."""

    function: Callable[..., Any]

    def __call__(self, batch: Any, *args: Any, **named: Any) -> Any:
        return self.function(list(batch), *args, **named)


@dataclass(frozen=True)
class Stacked:
    """A function whose records hold tensors of one shape, which are stacked: {name: (B, ...)}."""

    function: Callable[..., Any]

    def __call__(self, batch: Any, *args: Any, **named: Any) -> dict[str, Tensor]:
        records = records_of(self.function(batch, *args, **named), len(batch))
        names = [name for name in records[0] if all(isinstance(record.get(name), Tensor) for record in records)]
        return {str(name): stacked([record[name] for record in records], records[0]) for name in names}


@dataclass(frozen=True)
class StackedTensors:
    """A function that returns a list with a tensor for each input, all of one shape: (B, ...)."""

    function: Callable[..., Any]

    def __call__(self, batch: Any, *args: Any, **named: Any) -> Tensor:
        returned = self.function(batch, *args, **named)
        if not is_list_of(returned, Tensor) or len(returned) != len(batch):
            raise ModelError(f"the model returned no list with a tensor for each of {len(batch)} inputs")
        if len({part.shape for part in returned}) > 1:
            raise ModelError("the model returns a list with a tensor for each input, but of several shapes: pad them to one")
        return torch.stack(list(returned))


def is_list_of(returned: Any, kind: type) -> bool:
    """Whether it is a list or a tuple of objects of one kind."""
    return isinstance(returned, (list, tuple)) and bool(returned) and all(isinstance(entry, kind) for entry in returned)


def is_records(returned: Any) -> bool:
    """Whether it is a list or a tuple of mappings."""
    return is_list_of(returned, Mapping)


def records_of(returned: Any, count: int) -> Sequence[Mapping[str, Any]]:
    """What a model returned for so many inputs. Raises ModelError unless it is a list with a mapping for each of them."""
    if not is_records(returned) or len(returned) != count:
        raise ModelError(f"the model returned no list with a record for each of {count} inputs")
    records: Sequence[Mapping[str, Any]] = returned
    return records


def stacked(parts: Sequence[Tensor], record: Mapping[str, Any]) -> Tensor:
    """(B, ...). Raises ModelError, which says what to do, for tensors of several shapes."""
    if len({part.shape for part in parts}) > 1:
        raise ModelError(refusal(record))
    return torch.stack(list(parts))


def refusal(record: Mapping[str, Any]) -> str:
    """What to do about records that cannot be judged."""
    return (
        f"the model returns a list with a record ({', '.join(map(str, record))}) for each input, but neither boxes (N, 4) nor "
        "tensors of one shape under each name: wrap it in a function that returns one tensor with the batch first, as "
        "examples/audit_detector.py does"
    )
