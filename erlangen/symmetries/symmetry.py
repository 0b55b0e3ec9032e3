"""What a symmetry is: a frozen value that says how a group acts on an input and on a model's output."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from torch import Tensor

from erlangen.symmetries.motion import Motion


@dataclass(frozen=True)
class Symmetry:
    """A model f has the symmetry if f(g·x) = g·f(x) for every element g. If g leaves outputs unchanged, this is *invariance*.

    All methods take one input x: a tensor without a batch dimension, or a record of tensors (`Graph`, `Text`); y is the model's
    output for it. To define your own symmetry, write a frozen dataclass with `name`, `generators`, `elements` and `act`.
    Everything else has a default.
    """

    name: ClassVar[str] = ""
    default: ClassVar[bool] = False  # checked when the caller of an audit names no checks
    strict: ClassVar[bool] = False  # anything above rounding counts as broken, however small
    informational: ClassVar[bool] = False  # most models rightly lack it: reported, but no failure unless asked for by name
    by_constants: ClassVar[bool] = False  # rests on the values of constants, such as tables of sines, which models store rounded
    cyclic: ClassVar[int] = 0  # order of the group, if its elements are powers of one generator: see `power`
    unit: ClassVar[str] = ""  # of `size`, for the axis of a plot
    advice: ClassVar[str] = ""  # what to do if a model breaks the symmetry

    def fitted(self, x: Any, y: Tensor) -> Symmetry:
        """This symmetry, restricted to the elements that act on outputs like y: for example, to shifts by whole strides."""
        return self

    def readings(self, x: Any, y: Tensor) -> Sequence[Symmetry]:
        """This symmetry under each way to read outputs like y, the likeliest first; () if they can be read in one way only."""
        return ()

    def generators(self, x: Any) -> Sequence[Any]:
        """Lossless elements that generate the group, or represent it: a model is called exact on the strength of these."""
        raise NotImplementedError

    def elements(self, x: Any, n: int, rng: np.random.Generator) -> Sequence[Any]:
        """At most n random elements for this x, never the identity."""
        raise NotImplementedError

    def elements_of(self, xs: Sequence[Any], n: int, rng: np.random.Generator) -> Sequence[Sequence[Any]]:
        """`elements` of several inputs, for symmetries that choose those of one in view of the others."""
        return [self.elements(x, n, rng) for x in xs]

    def sweep(self, x: Any) -> Sequence[Any]:
        """Elements that are all tried on one input, the smallest: every cut of a text, for example. () if there are none."""
        return ()

    def optional(self, g: Any) -> bool:
        """Whether a model may refuse g·x: one that takes texts of a single length breaks nothing if it fails on another."""
        return False

    def scope(self, x: Any) -> str:
        """What was tried, in one short clause, as far as a reader would not expect it; "" if there is nothing to say."""
        return ""

    def act(self, x: Any, g: Any) -> Any:
        """g·x, as a new object: x itself must not change."""
        raise NotImplementedError

    def reference(self, x: Any, g: Any) -> Any:
        """The input that g·x is compared with: x, or x with exactly the information removed that g·x has lost."""
        return x

    def act_output(self, y: Tensor, g: Any, x: Any) -> Tensor | None:
        """g·y. By default y itself (invariance). None if g does not act on outputs like y."""
        return y

    def motion(self, x: Any, g: Any) -> Motion | None:
        """How g moves the points of a picture, for outputs that are coordinates; None if that is not known."""
        return None

    def align(self, y: Tensor, y_g: Tensor, g: Any, x: Any) -> tuple[Tensor, Tensor] | None:
        """The expected and the actual output, of one shape, from y = f(reference) and y_g = f(g·x). None if g does not act."""
        expected = self.act_output(y, g, x)
        return None if expected is None else (expected, y_g)

    def loss(self, x: Any, g: Any) -> float:
        """How much of x is lost by applying g, in units of the spread of x; 0 if g can be undone."""
        return 0.0

    def tangent(self, x: Any) -> Sequence[Tensor]:
        """d(g_t·x)/dt at t = 0 for each one-parameter subgroup, t in `unit`s; () if there is none."""
        return ()

    def power(self, g: Any) -> int:
        """g as a power of the generator, for groups that are `cyclic`."""
        raise NotImplementedError

    def size(self, g: Any) -> float | None:
        """How far g moves an input, in `unit`s; None if that has no meaning."""
        return None

    def label(self, g: Any) -> str:
        """A short description of g for messages."""
        return str(g)


def check_choice(kind: type, field: str, value: object, choices: object) -> None:
    """Raises ValueError, with a suggestion, unless `value` is one of the choices, a Literal type, that a field of a class has."""
    allowed = get_args(choices)
    if value not in allowed:
        close = difflib.get_close_matches(str(value), [choice for choice in allowed if isinstance(choice, str)], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{kind.__name__}: {field} must be {' or '.join(map(repr, allowed))}, not {value!r}{hint}")


def check_least(kind: type, field: str, value: float | Sequence[float], least: float) -> None:
    """Raises ValueError unless a field of a class, or all its entries, are finite numbers of at least so much."""
    entries = value if isinstance(value, Sequence) else [value]
    if not all(least <= entry < math.inf for entry in entries):
        raise ValueError(f"{kind.__name__}: {field} must be at least {least:g}, not {value!r}")
