"""The records of an audit: frozen, JSON in and out. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from erlangen.errors import BREACHED, NOT_MEASURED
from erlangen.records.provenance import Provenance

Judgment: TypeAlias = Literal["exact", "holds", "broken", "undecided", "not measured"]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a check's curve: all elements of about one size, or with one label. Errors are in units of the spread."""

    label: str
    size: float | None
    error: float | None
    interval: tuple[float | None, float | None]
    inputs: int
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Flips:
    """How often the predicted class changed. chance: how often it differs between two random inputs, 1 - Σp²."""

    rate: float
    interval: tuple[float, float]
    effective: float
    flipped: int
    pairs: int
    ties: int
    chance: float


@dataclass(frozen=True, kw_only=True)
class Worst:
    """A pair with one of the largest errors.

    error: in units of the spread; None if there is no spread. pictures: x and g·x, as PNG data URLs or as text.
    """

    input: int
    element: str
    error: float | None
    where: str = ""
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """What one element does to the output of one layer. error: in units of that layer's spread; None if g has no action on it."""

    layer: str
    kind: str
    shape: tuple[int, ...]
    action: str
    error: float | None
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Breaks:
    """All layers in running order under one element, and the first that breaks the symmetry; why: that layer and its error."""

    element: str
    layers: tuple[LayerError, ...]
    culprit: str | None
    why: str


@dataclass(frozen=True, kw_only=True)
class OutputRecord:
    """One of several outputs of a model: its shape for one input, and its spread and RMS over all."""

    name: str
    shape: str
    precision: str
    twin: str
    spread: float | None
    rms: float | None


@dataclass(frozen=True, kw_only=True)
class OutputJudgment:
    """What a check found for one of several outputs; all numbers mean the same as those of `Checked`."""

    name: str
    judgment: Judgment
    reason: str
    error: float | None = None
    interval: tuple[float | None, float | None] = (None, None)
    leak: float | None = None
    floor: float | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The result of one check.

    error: mean over pairs, in units of the spread of the output; interval: 95 %, over inputs, with two ends or none. leak: the
    largest error on generators, in units of RMS(y); floor: the most that rounding adds up to; precision: in which both were
    computed. p: of the test against the threshold, adjusted by Holm's method. detectable: the largest error below the threshold
    that could have been distinguished from it. loss: what the elements themselves lose of the input, in units of its spread.
    baseline: the error of an untrained copy. derivative: RMS of the Lie derivative, in units of the spread per `unit`.
    outputs: the judgments of all outputs, if several are judged; output: the name of the worst, which all else is about.
    """

    name: str
    kind: Literal["symmetry", "condition"]
    judgment: Judgment
    reason: str
    advice: str = ""
    strict: bool = False
    informational: bool = False
    threshold: float = 0.1
    error: float | None = None
    interval: tuple[float | None, float | None] = (None, None)
    p: float | None = None
    detectable: float | None = None
    inputs: int = 0
    pairs: int = 0
    unmoved: int = 0
    leak: float | None = None
    floor: float | None = None
    precision: str = ""
    loss: float = 0.0
    derivative: float | None = None
    baseline: float | None = None
    unit: str = ""
    flips: Flips | None = None
    curve: tuple[Point, ...] = ()
    worst: tuple[Worst, ...] = ()
    failures: tuple[str, ...] = ()
    breaks: Breaks | None = None
    output: str = ""
    outputs: tuple[OutputJudgment, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AuditRecord(Provenance):
    """An audit as data. source: where the inputs come from. date: in UTC. spread, rms: of the outputs for the unchanged inputs.

    outputs: all outputs that were judged, if there are several; output, precision, twin, spread and rms are those of the first.
    """

    domain: str
    inputs: int
    shape: str
    output: str
    precision: str
    device: str
    twin: str
    threshold: float
    seed: int
    spread: float | None
    rms: float | None
    checks: tuple[Checked, ...]
    outputs: tuple[OutputRecord, ...] = ()
    seconds: float = 0.0
    date: str = ""

    def exit_code(self, strict: bool = False) -> int:
        """1 if a check is broken (strict: or undecided), 5 if one was not measured, else 0. Informational checks do not count."""
        asked = [check for check in self.checks if not check.informational]
        judgments = {check.judgment for check in asked}
        if "broken" in judgments or (strict and "undecided" in judgments):
            return BREACHED
        return NOT_MEASURED if "not measured" in judgments or not asked else 0
