"""What a symmetry is: a frozen value that says how a group acts on an input, and on what a model makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Symmetry:
    """A model f has the symmetry where f(g·x) = g·f(x) for every element g: *invariance* where g leaves the output alone.

    One input x at a time: a tensor without a batch dimension, or a record of tensors (`Graph`, `Text`). So its output y.
    A symmetry of your own is a frozen dataclass with `name`, `generators`, `elements` and `act`; all else has a default.
    """

    name: ClassVar[str] = ""
    strict: ClassVar[bool] = False  # any leak counts: what is not exact is broken, however small
    informational: ClassVar[bool] = False  # most models rightly lack it: reported, never a breach
    unit: ClassVar[str] = ""  # of `size`, for the axis of a plot

    def fitted(self, x: Any, y: Tensor) -> Symmetry:
        """This symmetry with only those elements that act on outputs like y: shifts by whole strides, as an example."""
        return self

    def generators(self, x: Any) -> Sequence[Any]:
        """Elements without any loss that make the group up, or stand for it: exactness is decided on them."""
        raise NotImplementedError

    def elements(self, x: Any, n: int, rng: np.random.Generator) -> Sequence[Any]:
        """At most n elements for this x, drawn at random; never the identity."""
        raise NotImplementedError

    def act(self, x: Any, g: Any) -> Any:
        """g·x. Never changes x itself."""
        raise NotImplementedError

    def reference(self, x: Any, g: Any) -> Any:
        """What g·x is compared with: x, or an input that has lost exactly what g·x has lost."""
        return x

    def act_output(self, y: Tensor, g: Any, x: Any) -> Tensor | None:
        """g·y; y as it is where nothing says otherwise (invariance). None where g has no action on outputs like y."""
        return y

    def align(self, y: Tensor, y_g: Tensor, g: Any, x: Any) -> tuple[Tensor, Tensor] | None:
        """What to compare, of one shape: expected, made of y = f(reference), and actual, made of y_g = f(g·x)."""
        expected = self.act_output(y, g, x)
        return None if expected is None else (expected, y_g)

    def loss(self, x: Any, g: Any) -> float:
        """What g itself loses of x, in units of x's spread: 0 for what can be undone."""
        return 0.0

    def tangent(self, x: Any) -> Sequence[Tensor]:
        """d(g_t·x)/dt at t = 0 for each one-parameter group, one unit a t; () where there is none or x is not smooth."""
        return ()

    def size(self, g: Any) -> float | None:
        """How far g moves an input, in `unit`; None where that means nothing."""
        return None

    def label(self, g: Any) -> str:
        """g in words, for a message."""
        return str(g)
