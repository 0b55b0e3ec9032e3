"""The tasks of `graph-algebra`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Matrices:
    """Compute the matrices of both graphs."""


@dataclass(frozen=True, kw_only=True)
class Walks:
    """List every walk of up to `length` edges, and tell the paths among them."""

    length: int


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """Compute how much each node changes: in expectation under white signals, and under the smoothest one."""


@dataclass(frozen=True, kw_only=True)
class White:
    """Average how much each node changes over `draws` white signals."""

    draws: int
