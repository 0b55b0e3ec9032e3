"""Calls of a model that returns several outputs: made once, and read by the checks of each output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError
from erlangen.auditing.model import Model
from erlangen.auditing.part import Part

KEPT = 2**29  # bytes of outputs that wait for their readers; beyond that, calls are made again


@dataclass
class Call:
    """Outputs of one call, by the places of their readers. Each reads it once: a second equal call is one of its own."""

    key: bytes
    outputs: dict[int, Tensor]


@dataclass
class SharedCalls:
    """f(...) -> what it returns, for readers of which each takes its own part.

    While it is `open`, a call of one reader serves the equal calls of all others, in the order in which they were made. Equal
    means equal in every bit of every argument. Otherwise, each call is made.
    """

    function: Callable[..., Any]
    parts: Sequence[Part]
    open: bool = False
    calls: list[Call] = field(default_factory=list)

    def answer(self, place: int, args: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
        """The part of this reader."""
        key = digest((args, named)) if self.open else None
        if key is None:
            return self.parts[place](self.function(*args, **named))
        for call in self.calls:
            if call.key == key and place in call.outputs:
                output = call.outputs.pop(place)
                self.calls = [call for call in self.calls if call.outputs]
                return output
        returned = self.function(*args, **named)
        parts = {k: self.part_of(k, returned) for k in range(len(self.parts)) if k != place}
        others = {k: output for k, output in parts.items() if output is not None}
        if sum(map(size_of, others.values())) + self.kept <= KEPT:
            self.calls.append(Call(key, {k: part.to("cpu", copy=True) for k, part in others.items()}))
        return self.parts[place](returned)

    def part_of(self, place: int, returned: Any) -> Tensor | None:
        """The part of another reader; None if there is none, which that reader will find out by a call of its own."""
        try:
            return self.parts[place](returned).detach()
        except ModelError:
            return None

    @property
    def kept(self) -> int:
        """Bytes of the outputs that wait."""
        return sum(size_of(output) for call in self.calls for output in call.outputs.values())


@dataclass(frozen=True)
class Reader:
    """The function of a model, for one of its outputs."""

    calls: SharedCalls
    place: int

    @property
    def part(self) -> Part:
        """The part of what the model returns that is read."""
        return self.calls.parts[self.place]

    def __call__(self, *args: Any, **named: Any) -> Tensor:
        return self.calls.answer(self.place, args, named)


def split_model(model: Model, names: Sequence[str]) -> list[Model]:
    """A model for each of these outputs; they can share their calls."""
    calls = SharedCalls(model.function, [Part(name) for name in names])
    return [replace(model, function=Reader(calls, place), select=None) for place in range(len(names))]


def unshared(model: Model) -> Model:
    """The model with the function that its readers share."""
    return replace(model, function=model.function.calls.function) if isinstance(model.function, Reader) else model


def part_name(model: Model) -> str:
    """The name of the output that a model of `split_model` returns; '' for any other model."""
    return model.function.part.name if isinstance(model.function, Reader) else ""


@contextmanager
def sharing(functions: Sequence[Any]) -> Iterator[None]:
    """Within it, the readers among these functions share their calls."""
    shared = {id(function.calls): function.calls for function in functions if isinstance(function, Reader)}
    for calls in shared.values():
        calls.open = True
    try:
        yield
    finally:
        for calls in shared.values():
            calls.open = False
            calls.calls.clear()


def size_of(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def digest(arguments: Any) -> bytes | None:
    """The same for equal arguments alone; None if there is something in them whose bits are not known."""
    hashed = hashlib.blake2b(digest_size=16)
    try:
        feed(hashed, arguments)
    except (TypeError, RuntimeError):  # a sparse tensor has no such bits
        return None
    return hashed.digest()


def feed(hashed: Any, value: Any) -> None:
    """Raises TypeError for what cannot be compared."""
    if isinstance(value, Tensor):
        hashed.update(f"{value.dtype}{tuple(value.shape)}{value.device}".encode())
        hashed.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, Mapping):
        hashed.update(f"mapping {len(value)}".encode())
        for name, entry in value.items():
            feed(hashed, (str(name), entry))
    elif isinstance(value, (tuple, list)):
        hashed.update(f"sequence {len(value)}".encode())
        for entry in value:
            feed(hashed, entry)
    elif value is None or isinstance(value, (bool, int, float, str)):
        hashed.update(f"{type(value).__name__} {value!r}".encode())
    elif hasattr(value, "to_dict"):  # torch_geometric's Data
        feed(hashed, value.to_dict())
    else:
        raise TypeError(type(value).__name__)
