"""The one thing that every check yields and every measure sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.auditing.model import Model

Elements: TypeAlias = Mapping[int, Sequence[Any]]  # of each input, by its index
Outputs: TypeAlias = Mapping[int, Tensor]  # likewise


@dataclass(frozen=True)
class Pair:
    """What a model should give, and what it gave, for one input and one element.

    expected, actual (S, D): S sites (pixels, positions, nodes; 1 for a vector), D features. moved: whether the call really was
    another one. loss: what the transform itself lost, in units of the input's spread. failure: the exception in words, where the
    model or the transform raised one; expected and actual are then None.
    """

    input: int
    element: Any
    label: str
    expected: Tensor | None
    actual: Tensor | None
    moved: bool = True
    loss: float = 0.0
    size: float | None = None
    failure: str = ""


class Check(Protocol):
    """A named question to a model. `strict`: any leak counts; `informational`: reported, never a breach."""

    kind: ClassVar[str]

    @property
    def name(self) -> str: ...
    @property
    def strict(self) -> bool: ...
    @property
    def informational(self) -> bool: ...
    @property
    def unit(self) -> str: ...

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        """n elements, or, with n = 0, the generators, of each input in `indices`; no entry for an input that has none."""
        ...

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        """A pair for each element of each input; outputs: what `model` gave for the inputs as they are."""
        ...
