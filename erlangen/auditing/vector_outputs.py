"""Outputs in rows that are no tokens, nodes or points: the transform (3, 3) of a point network, or some latent vectors (K, D)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from erlangen.auditing.declared import Declared
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class VectorAction:
    """An output that `reading` covers is a single vector, on which the symmetry acts as on any other."""

    reading: Reading

    def __str__(self) -> str:
        """`output read as a vector`"""
        return str(self.reading)

    def fitted(self, symmetry: Symmetry, x: Any, y: Tensor) -> tuple[Symmetry, VectorAction]:
        return symmetry.fitted(x, y), self

    def readings(self, symmetry: Symmetry, x: Any, y: Tensor) -> Sequence[tuple[Symmetry, VectorAction]]:
        return ()

    def align(self, symmetry: Symmetry, y: Tensor, y_g: Tensor, g: Any, x: Any) -> tuple[Tensor, Tensor] | None:
        """Outputs of inner layers are read as always."""
        if not (self.reading.covers(y) and self.reading.covers(y_g)):
            return symmetry.align(y, y_g, g, x)
        pair = symmetry.align(y.flatten(), y_g.flatten(), g, x)
        return None if pair is None else (pair[0].reshape(y.shape), pair[1].reshape(y.shape))


def as_vector(check: SymmetryCheck, y: Tensor) -> SymmetryCheck:
    """The check for outputs like y, read as vectors."""
    return SymmetryCheck(Declared(check.symmetry, VectorAction(Reading("vector", None, tuple(y.shape)))))
