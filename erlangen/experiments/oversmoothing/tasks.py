"""The tasks of `oversmoothing`. Their graph: its name `data`, the `nodes` of block models or 0, a file's `digest` or ''."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Arm: TypeAlias = Literal["none", "root", "loops", "wide", "alone"]
ARMS: tuple[Arm, ...] = ("none", "root", "loops", "wide", "alone")
PROPAGATED: tuple[Arm, ...] = ("none", "root", "loops")  # without weights there is nothing to widen


@dataclass(frozen=True, kw_only=True)
class Itself:
    """Count the nodes whose outputs depend on their own features."""


@dataclass(frozen=True, kw_only=True)
class Propagate:
    """Average neighbors without weights, up to each of the depths."""

    arm: Arm
    depths: tuple[int, ...]
    data: str
    nodes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one net."""

    arm: Arm
    depth: int
    width: int
    lr: float
    epochs: int
    patience: int
    data: str
    nodes: int
    digest: str
