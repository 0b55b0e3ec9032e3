"""Symmetries, one per file: frozen values that act on inputs, and on what a model makes of them.

from erlangen.symmetries import Reflection, Symmetry, Translation

A symmetry of your own is a frozen dataclass derived from `Symmetry`; `erlangen.testing.check_symmetry` checks its laws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.symmetries.causality import Causality as Causality
    from erlangen.symmetries.channels import ChannelPermutation as ChannelPermutation
    from erlangen.symmetries.crop import CroppedTranslation as CroppedTranslation
    from erlangen.symmetries.duplicate_edges import DuplicateEdges as DuplicateEdges
    from erlangen.symmetries.edge_order import EdgeOrder as EdgeOrder
    from erlangen.symmetries.graph import Graph as Graph
    from erlangen.symmetries.intensity import Intensity as Intensity
    from erlangen.symmetries.isolated_node import IsolatedNode as IsolatedNode
    from erlangen.symmetries.left_padding import LeftPadding as LeftPadding
    from erlangen.symmetries.node_reflection import NodeReflection as NodeReflection
    from erlangen.symmetries.node_rotation import NodeRotation as NodeRotation
    from erlangen.symmetries.node_translation import NodeTranslation as NodeTranslation
    from erlangen.symmetries.point_permutation import PointPermutation as PointPermutation
    from erlangen.symmetries.point_rotation import PointRotation as PointRotation
    from erlangen.symmetries.point_translation import PointTranslation as PointTranslation
    from erlangen.symmetries.prefix_shift import PositionShift as PositionShift, PrefixShift as PrefixShift
    from erlangen.symmetries.reflection import Reflection as Reflection
    from erlangen.symmetries.relabeling import Relabeling as Relabeling
    from erlangen.symmetries.rotation import QuarterTurns as QuarterTurns, Rotation as Rotation
    from erlangen.symmetries.scale import Scale as Scale
    from erlangen.symmetries.series_causality import SeriesCausality as SeriesCausality
    from erlangen.symmetries.subpixel import SubpixelTranslation as SubpixelTranslation
    from erlangen.symmetries.symmetry import Symmetry as Symmetry
    from erlangen.symmetries.text import Text as Text
    from erlangen.symmetries.time_shift import TimeShift as TimeShift
    from erlangen.symmetries.token_permutation import TokenPermutation as TokenPermutation
    from erlangen.symmetries.translation import Translation as Translation
    from erlangen.symmetries.volume_reflection import VolumeReflection as VolumeReflection
    from erlangen.symmetries.volume_turns import VolumeTurns as VolumeTurns
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
