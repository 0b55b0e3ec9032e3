"""The records of an audit: frozen, plain, JSON in and out, as those of `results`. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from erlangen.records.provenance import Provenance

Judgment: TypeAlias = Literal["exact", "holds", "broken", "undecided", "not measured"]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One place of a check's curve: all elements of (about) one size, or all with one label; errors in units of the spread."""

    label: str
    size: float | None
    error: float | None
    interval: tuple[float | None, float | None]
    inputs: int
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Flips:
    """How often the predicted class changed. `chance`: how often two unrelated inputs' classes differ, 1 - Σp²."""

    rate: float
    interval: tuple[float, float]
    effective: float
    flipped: int
    pairs: int
    ties: int
    chance: float


@dataclass(frozen=True, kw_only=True)
class Worst:
    """A pair with one of the largest errors: which input, which element; `pictures` are PNG data URLs or texts, x then g·x.

    error: in units of the spread; None where there is no spread to compare with.
    """

    input: int
    element: str
    error: float | None
    where: str = ""
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """What one element does to the output of one layer. error: in units of that layer's spread; None where g has no action."""

    layer: str
    kind: str
    shape: tuple[int, ...]
    action: str
    error: float | None
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Breaks:
    """From which layer on a symmetry is lost, for one element and some inputs, in running order."""

    element: str
    layers: tuple[LayerError, ...]
    culprit: str | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What an audit says of one check.

    error: mean error over pairs, in units of the spread of the output; interval: 95 %, over inputs. leak: the worst error on
    generators, in units of RMS(y), and `floor` what rounding may make of it; precision: what both were computed in.
    p: Holm's adjusted p against the threshold. detectable: the error nearest to the threshold that this n tells from it.
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
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AuditRecord(Provenance):
    """An audit as data. spread, rms: of the model's outputs on the inputs as given."""

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
    seconds: float = 0.0

    def exit_code(self, strict: bool = False) -> int:
        """1: a threshold was breached (strict: or something is undecided); 5: something was not measured; else 0."""
        asked = [check for check in self.checks if not check.informational]
        judgments = {check.judgment for check in asked}
        if "broken" in judgments or (strict and "undecided" in judgments):
            return 1
        return 5 if "not measured" in judgments or not asked else 0
