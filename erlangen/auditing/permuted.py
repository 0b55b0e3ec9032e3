"""Classes that a symmetry permutes: arrows to the left and to the right exchange their names in a mirror."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from erlangen.auditing.declared import Declared
from erlangen.auditing.output_kinds import Cycles
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.errors import ErlangenError
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class ClassAction:
    """The generator of a symmetry permutes the classes by `cycles`, g = generatorᵏ by their k-th power, wherever g moves them.

    Classes are the entries of a vector, the channels of a map, the columns of rows, or the whole numbers of an output.
    shape: of the output that it is for; outputs with another number of classes, as of inner layers, keep their order.
    """

    cycles: Cycles
    shape: tuple[int, ...] = ()
    reading: None = None

    def __str__(self) -> str:
        """`classes 0 → 1 → 0 permuted`"""
        some = "; ".join(" → ".join(map(str, (*cycle, cycle[0]))) for cycle in self.cycles[:3])
        return f"classes {some}{'; …' if len(self.cycles) > 3 else ''} permuted"

    def fitted(self, symmetry: Symmetry, x: Any, y: Tensor) -> tuple[Symmetry, ClassAction]:
        return symmetry.fitted(x, y), replace(self, shape=tuple(y.shape))

    def readings(self, symmetry: Symmetry, x: Any, y: Tensor) -> Sequence[tuple[Symmetry, ClassAction]]:
        return [(option, self) for option in symmetry.readings(x, y)]

    def align(self, symmetry: Symmetry, y: Tensor, y_g: Tensor, g: Any, x: Any) -> tuple[Tensor, Tensor] | None:
        """Raises ValueError if the output has too few classes."""
        aligned = symmetry.align(y, y_g, g, x)
        if aligned is None:
            return None
        mapping = {a: cycle[(k + symmetry.power(g)) % len(cycle)] for cycle in self.cycles for k, a in enumerate(cycle)}
        if not (y.is_floating_point() or y.is_complex()):
            return renamed(aligned[0], mapping), aligned[1]
        axis = class_axis(y, getattr(symmetry, "reading", None), is_image=isinstance(x, Tensor))
        count = y.shape[axis]
        if y.ndim != len(self.shape) or count != self.shape[axis] or is_plain(y, symmetry):
            return aligned
        if max(mapping) >= count:
            raise ValueError(f"class {max(mapping)} was declared to be permuted, but the output has classes 0 to {count - 1}")
        sources = list(range(count))
        for a, b in mapping.items():
            sources[b] = a
        return aligned[0].index_select(axis, y.new_tensor(sources).long()), aligned[1]


def class_axis(y: Tensor, reading: Reading | None, is_image: bool) -> int:
    """The axis of an output that numbers classes: the channels of a map, and else the last one."""
    rows = reading is not None and reading.output != "map"
    return 0 if is_image and y.ndim >= 3 and not rows else -1


def is_plain(y: Tensor, symmetry: Symmetry) -> bool:
    """Whether y (h, w) has one number for each pixel, and so no classes."""
    reading = getattr(symmetry, "reading", None)
    return y.ndim == 2 and reading is not None and reading.output == "pixels"


def renamed(ids: Tensor, mapping: Mapping[int, int]) -> Tensor:
    """Class ids, each replaced by the one that it becomes."""
    new = ids.clone()
    for a, b in mapping.items():
        new[ids == a] = b
    return new


def with_permuted(check: SymmetryCheck, permuted: Mapping[str, Cycles]) -> SymmetryCheck:
    """The check, with classes permuted if they were declared to be. Raises ErlangenError if they cannot be."""
    cycles = permuted.get(check.name)
    if cycles is None:
        return check
    order = check.symmetry.cyclic
    if not order:
        raise ErlangenError(f"classes cannot be permuted under {check.name}: only under a reflection or under quarter turns")
    lengths = math.lcm(*map(len, cycles))
    if order % lengths:
        times = "twice" if order == 2 else f"{order} times"
        raise ErlangenError(
            f"{check.name} applied {times} changes nothing, but these classes return only after {lengths}: check their cycles"
        )
    return SymmetryCheck(Declared(check.symmetry, ClassAction(cycles)))
