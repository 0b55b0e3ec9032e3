"""A symmetry whose action on outputs was declared: as boxes, or as classes that it permutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from erlangen.symmetries.motion import Motion
from erlangen.symmetries.symmetry import Symmetry


class Action(Protocol):
    """How outputs move. reading: as of symmetries, how outputs are read; None if the symmetry itself says so."""

    @property
    def reading(self) -> Any: ...

    def fitted(self, symmetry: Symmetry, x: Any, y: Tensor) -> tuple[Symmetry, Action]:
        """`Symmetry.fitted`, and the action for outputs like y."""
        ...

    def readings(self, symmetry: Symmetry, x: Any, y: Tensor) -> Sequence[tuple[Symmetry, Action]]:
        """`Symmetry.readings`."""
        ...

    def align(self, symmetry: Symmetry, y: Tensor, y_g: Tensor, g: Any, x: Any) -> tuple[Tensor, Tensor] | None:
        """`Symmetry.align`."""
        ...


@dataclass(frozen=True)
class Declared(Symmetry):
    """`symmetry`, which acts on inputs as it does, and on outputs by `action`."""

    symmetry: Symmetry
    action: Action

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.symmetry.name or type(self.symmetry).__name__

    @property
    def default(self) -> bool:  # type: ignore[override]
        return self.symmetry.default

    @property
    def strict(self) -> bool:  # type: ignore[override]
        return self.symmetry.strict

    @property
    def informational(self) -> bool:  # type: ignore[override]
        return self.symmetry.informational

    @property
    def by_constants(self) -> bool:  # type: ignore[override]
        return self.symmetry.by_constants

    @property
    def unit(self) -> str:  # type: ignore[override]
        return self.symmetry.unit

    @property
    def advice(self) -> str:  # type: ignore[override]
        return self.symmetry.advice

    @property
    def reading(self) -> Any:
        return self.action.reading or getattr(self.symmetry, "reading", None)

    def fitted(self, x: Any, y: Tensor) -> Declared:
        symmetry, action = self.action.fitted(self.symmetry, x, y)
        return replace(self, symmetry=symmetry, action=action)

    def readings(self, x: Any, y: Tensor) -> Sequence[Declared]:
        return [Declared(symmetry, action) for symmetry, action in self.action.readings(self.symmetry, x, y)]

    def generators(self, x: Any) -> Sequence[Any]:
        return self.symmetry.generators(x)

    def elements(self, x: Any, n: int, rng: np.random.Generator) -> Sequence[Any]:
        return self.symmetry.elements(x, n, rng)

    def sweep(self, x: Any) -> Sequence[Any]:
        return self.symmetry.sweep(x)

    def optional(self, g: Any) -> bool:
        return self.symmetry.optional(g)

    def scope(self, x: Any) -> str:
        return ", ".join(part for part in (self.symmetry.scope(x), str(self.action)) if part)

    def act(self, x: Any, g: Any) -> Any:
        return self.symmetry.act(x, g)

    def reference(self, x: Any, g: Any) -> Any:
        return self.symmetry.reference(x, g)

    def motion(self, x: Any, g: Any) -> Motion | None:
        return self.symmetry.motion(x, g)

    def align(self, y: Tensor, y_g: Tensor, g: Any, x: Any) -> tuple[Tensor, Tensor] | None:
        return self.action.align(self.symmetry, y, y_g, g, x)

    def loss(self, x: Any, g: Any) -> float:
        return self.symmetry.loss(x, g)

    def size(self, g: Any) -> float | None:
        return self.symmetry.size(g)

    def label(self, g: Any) -> str:
        return self.symmetry.label(g)
