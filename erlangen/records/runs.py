"""The records of a run: jobs and what they measured, claims and what the measurements say of them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from erlangen.records.files import Scalar, canonical

Value: TypeAlias = float | tuple[float | None, ...] | None
Outcome: TypeAlias = Literal["supported", "refuted", "inconclusive", "not measured"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One unit of work. Equal jobs give equal measurements; `seconds`, an estimate for one core, is no part of its key.

    exclusive: runs alone on the machine, in a fresh process (every timing and memory figure does).
    """

    experiment: str
    params: dict[str, Scalar]
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
    exclusive: bool = False
    seconds: float = field(default=1.0, compare=False)

    def label(self) -> str:
        """The job in words, for progress and errors: `padding Net1 valid seed 3`."""
        return " ".join([self.experiment, *(str(value) for value in self.params.values()), f"seed {self.seed}"])

    def key(self, code: str) -> str:
        """16 hex digits over all that decides the numbers; `code` is the fingerprint of the experiment's modules."""
        identity = [self.experiment, self.params, self.seed, self.precision, self.device.split(":")[0], code]
        return hashlib.sha256(canonical(identity).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Measurement:
    """A named number, or a tuple of them (one per input, epoch, ...), with its unit."""

    name: str
    value: Value
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What one job measured, with the machine and the wall seconds it took (recorded, never keyed)."""

    key: str
    experiment: str
    params: dict[str, Scalar]
    seed: int
    precision: str
    device: str
    measurements: tuple[Measurement, ...]
    seconds: float | None = None
    machine: str = ""

    def value(self, name: str) -> float:
        """The scalar measurement called `name`; NaN where it is absent or was not finite."""
        for measurement in self.measurements:
            if measurement.name == name and isinstance(measurement.value, (int, float)):
                return float(measurement.value)
        return math.nan

    def values(self, name: str) -> tuple[float, ...]:
        """The tuple measurement called `name`, () where absent; entries that were not finite come back as NaN."""
        for measurement in self.measurements:
            if measurement.name == name and isinstance(measurement.value, tuple):
                return tuple(math.nan if entry is None else float(entry) for entry in measurement.value)
        return ()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that an experiment judges. `how` says how it is measured, `parts` what its verdicts are about."""

    id: str
    statement: str
    how: str
    parts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the measurements say of one part of a claim.

    kind: *exact* is a proof or a counterexample (interval [x, x], n cases checked); *statistical* carries a test.
    corrected: the statement as it should read, where the one made is wrong or half true.
    published: the number from the literature that stands beside `measured`; it never enters it.
    """

    claim: str
    part: str
    kind: Literal["exact", "statistical"]
    statement: str
    verdict: Outcome
    corrected: str | None = None
    effect: float | None = None
    unit: str = ""
    interval: tuple[float | None, float | None] | None = None
    n: int = 0
    test: str = ""
    published: float | None = None
    measured: float | None = None
    next_step: str = ""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture and the table behind it. `spec` is a Vega-Lite specification; without one the table is the figure."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    spec: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a page needs beside the verdicts: the question, the answer in a sentence or two, and the figures."""

    asked: str
    found: str
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a folder of results came to be."""

    experiment: str
    preset: str
    recipe: dict[str, Any]
    command: str
    precision: str
    device: str
    workers: int
    jobs: tuple[str, ...]
    versions: dict[str, str]
    machine: dict[str, Scalar]
    title: str = ""
    claims: tuple[Claim, ...] = ()
