"""The checks by name: what an audit of each domain asks unless it is told what to ask."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import torch

from erlangen.auditing.conditions import BatchComposition, Elsewhere, Repeat
from erlangen.auditing.pair import Check
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.errors import ErlangenError
from erlangen.symmetries.causality import Causality
from erlangen.symmetries.channels import ChannelPermutation
from erlangen.symmetries.crop import CroppedTranslation
from erlangen.symmetries.duplicate_edges import DuplicateEdges
from erlangen.symmetries.edge_order import EdgeOrder
from erlangen.symmetries.intensity import Intensity
from erlangen.symmetries.isolated_node import IsolatedNode
from erlangen.symmetries.left_padding import LeftPadding
from erlangen.symmetries.point_permutation import PointPermutation
from erlangen.symmetries.point_rotation import PointRotation
from erlangen.symmetries.point_translation import PointTranslation
from erlangen.symmetries.prefix_shift import PositionShift, PrefixShift
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.relabeling import Relabeling
from erlangen.symmetries.rotation import QuarterTurns, Rotation
from erlangen.symmetries.scale import Scale
from erlangen.symmetries.subpixel import SubpixelTranslation
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.time_shift import TimeShift
from erlangen.symmetries.token_permutation import TokenPermutation
from erlangen.symmetries.translation import Translation

SYMMETRIES: dict[str, tuple[Symmetry, ...]] = {
    "images": (
        Translation("circular"), Translation("zeros"), CroppedTranslation(), SubpixelTranslation(), QuarterTurns(), Rotation(),
        Reflection(), Scale(), Intensity(), ChannelPermutation(),
    ),
    "texts": (Causality(), TokenPermutation(), PrefixShift(), PositionShift(), LeftPadding()),
    "graphs": (Relabeling(), EdgeOrder(), IsolatedNode(), DuplicateEdges()),
    "points": (PointPermutation(), PointRotation(), PointTranslation()),
    "series": (TimeShift("circular"), TimeShift("zeros")),
}  # fmt: skip

CONDITIONS: tuple[Check, ...] = (
    Repeat(),
    BatchComposition(),
    Elsewhere("bfloat16", dtype=torch.bfloat16),
    Elsewhere("cuda", device="cuda", informational=False),
)

DEFAULT = {
    "images": ("translation", "translation-zeros", "quarter-turns", "reflection", "intensity", "channel-permutation"),
    "texts": ("causality", "token-permutation", "position-shift", "left-padding"),
    "graphs": ("node-permutation", "edge-order", "isolated-node", "duplicate-edges"),
    "points": ("point-permutation", "point-rotation", "point-translation"),
    "series": ("time-shift", "time-shift-zeros"),
}


def checks(asked: Sequence[str | Symmetry | Check] | None, domain: str) -> list[Check]:
    """What is asked for as checks, `repeat` and `batch-composition` always among them and first.

    Raises ErlangenError for a name that the domain does not have.
    """
    named: dict[str, Check] = {symmetry.name: SymmetryCheck(symmetry) for symmetry in SYMMETRIES[domain]}
    named |= {condition.name: condition for condition in CONDITIONS}
    found: dict[str, Check] = {name: named[name] for name in ("repeat", "batch-composition")}
    for entry in DEFAULT[domain] if asked is None else asked:
        if isinstance(entry, str) and entry not in named:
            close = difflib.get_close_matches(entry, named, n=1)
            hint = f"did you mean {close[0]}?" if close else f"for {domain} there are: {', '.join(named)}"
            raise ErlangenError(f"no check is called {entry!r}; {hint}")
        check = named[entry] if isinstance(entry, str) else SymmetryCheck(entry) if isinstance(entry, Symmetry) else entry
        found[check.name] = check
    return list(found.values())
