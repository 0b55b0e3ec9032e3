"""The tasks of `convolution-forms`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OnGraphs:
    """A task on `graphs` random directed graphs of up to `nodes` nodes."""

    graphs: int
    nodes: int


class Message(OnGraphs):
    """Compare the layer in index and in message form with a program that goes from node to node."""


class Matrix(OnGraphs):
    """Compare the three forms of the layer with dense matrices."""


class Direction(OnGraphs):
    """Reverse all edges of random graphs, and look whether the layer shows it."""


class Transposes(OnGraphs):
    """Leave the transposes of W and B out of the matrix form."""


class Selection(OnGraphs):
    """Compare the median with a matrix that depends on X."""


@dataclass(frozen=True, kw_only=True)
class Pyg(OnGraphs):
    """Compare the three forms with torch_geometric's layers; None where it is not installed."""

    torch_geometric: str | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Solve for the messages that pairs of stars need."""


@dataclass(frozen=True, kw_only=True)
class EveryGraph:
    """Reverse all edges of every small graph, and look whether the layer shows it."""


@dataclass(frozen=True, kw_only=True)
class Additivity:
    """Look for signals on which aggregators are not additive, and not associative."""


@dataclass(frozen=True, kw_only=True)
class Residual:
    """Fit one matrix to each aggregator of `draws` white signals, and measure what it leaves of as many others."""

    draws: int


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Count where torch_geometric's median and max fail, and ours; None where it is not installed."""

    torch_geometric: str | None


@dataclass(frozen=True, kw_only=True)
class PastFloat32(Faults):
    """The same with more edges than float32 can number."""
