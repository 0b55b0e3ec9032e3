"""The one thing that every check yields and every measure sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.auditing.model import Model

Elements: TypeAlias = Mapping[int, Sequence[Any]]  # by the index of the input
Outputs: TypeAlias = Mapping[int, Tensor]  # likewise


@dataclass(frozen=True)
class Pair:
    """The expected and the actual output of a model, for one input and one element.

    expected, actual (S, D): S sites (pixels, positions or nodes; 1 for a vector) with D features. moved: whether the element
    changed the input at all. loss: what the transformation itself lost, in units of the input's spread. failure: the exception in
    words if the model or the transformation raised one; expected and actual are then None. refused: the same for an element that
    a model need not take, such as a text of another length: it is reported, but no failure.
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
    refused: str = ""


class Check(Protocol):
    """A named question to a model. Its attributes mean the same as those of a `Symmetry`."""

    kind: ClassVar[str]

    @property
    def name(self) -> str: ...
    @property
    def default(self) -> bool: ...
    @property
    def strict(self) -> bool: ...
    @property
    def informational(self) -> bool: ...
    @property
    def unit(self) -> str: ...
    @property
    def advice(self) -> str: ...

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        """n random elements for each input in `indices`, or the generators if n = 0; no entry for an input without elements."""
        ...

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        """A pair for each element of each input. outputs: those of `model` for the unchanged inputs."""
        ...
