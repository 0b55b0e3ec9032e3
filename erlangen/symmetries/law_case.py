"""A symmetry on an input, and what is stated of both, for the laws to check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from erlangen.symmetries.leaves import apart, eps_of
from erlangen.symmetries.symmetry import Symmetry

ROUNDING = 1024  # eps, relative to the largest entry


class BrokenLawError(AssertionError):
    """A law is broken; the message says which, and by which element."""


def require(holds: bool, problem: str) -> None:
    """Raises BrokenLawError with the problem."""
    if not holds:
        raise BrokenLawError(problem)


@dataclass(frozen=True)
class Group:
    """What is known of the group, as far as it is stated. compose: (g, h) -> the element that acts as g after h."""

    identity: Any = None
    compose: Callable[[Any, Any], Any] | None = None
    inverse: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Case:
    """A symmetry on an input x.

    n: elements that are drawn. tolerance: relative difference that counts as rounding. kept_by: a model of one input that is
    known to have the symmetry. outputs: outputs that a model might give for x.
    """

    symmetry: Symmetry
    x: Any
    n: int = 8
    tolerance: float | None = None
    group: Group = field(default_factory=Group)
    kept_by: Callable[[Any], Tensor] | None = None
    outputs: Sequence[Tensor] = ()

    def call(self, method: str, *arguments: Any) -> Any:
        """A method of the symmetry. Raises BrokenLawError where it raises."""
        try:
            return getattr(self.symmetry, method)(*arguments)
        except Exception as error:
            text = " ".join(str(error).split())
            raise BrokenLawError(f"{method} raises {type(error).__name__}{': ' if text else ''}{text}") from error

    def act(self, x: Any, g: Any) -> Any:
        return self.call("act", x, g)

    def reference(self, x: Any, g: Any) -> Any:
        return self.call("reference", x, g)

    def label(self, g: Any) -> str:
        return str(self.call("label", g))

    def drawn(self, n: int, seed: int = 0) -> list[Any]:
        """Elements for x."""
        return list(self.call("elements", self.x, n, np.random.default_rng(seed)))

    @cached_property
    def generators(self) -> list[Any]:
        return list(self.call("generators", self.x))

    @cached_property
    def used(self) -> list[Any]:
        """Generators and n elements."""
        return [*self.generators, *self.drawn(self.n)]

    def equal(self, expected: Any, actual: Any) -> bool:
        """But for rounding."""
        tolerance = ROUNDING * eps_of(expected, actual) if self.tolerance is None else self.tolerance
        return apart(expected, actual) <= tolerance
