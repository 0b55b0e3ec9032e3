"""The records of a run: jobs and what they measured, claims, and what the measurements say of them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from erlangen.records.files import Scalar, canonical
from erlangen.records.provenance import Provenance

Value: TypeAlias = float | tuple[float | None, ...] | None
Parameter: TypeAlias = Scalar | tuple[Scalar, ...]
Outcome: TypeAlias = Literal["supported", "refuted", "inconclusive", "not measured"]
AnswerOutcome: TypeAlias = Literal["supported", "partly", "refuted", "inconclusive", "not measured"]
Precision: TypeAlias = Literal["float32", "tf32", "bfloat16"]  # tf32: on CUDA devices, see erlangen.nn.tf32
Of: TypeAlias = Literal["report", "rival", "claim", "extension", "control"]
Ends: TypeAlias = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One unit of work. Equal jobs give equal measurements.

    experiment: filled in by the sweep. params: a task's name and fields, see `experiments.kit.tasks`.
    portable: computes in the precision and on the device that the run asks for; any other job stays with its own.
    exclusive: runs alone on the machine, in a fresh process (every timing and memory figure does).
    seconds: an estimate for one core, no part of the key.
    """

    params: dict[str, Parameter]
    experiment: str = ""
    seed: int = 0
    precision: Precision = "float32"
    device: str = "cpu"
    portable: bool = False
    exclusive: bool = False
    seconds: float = field(default=1.0, compare=False)

    def label(self) -> str:
        """The job in words, for progress and errors: `padding train Net1 valid seed 3`."""
        values = (" ".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in self.params.values())
        return " ".join([self.experiment, *values, f"seed {self.seed}"])

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
    params: dict[str, Parameter]
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
class Group:
    """One of the arms that a verdict compares: its mean, with an interval where the arm has one of its own."""

    name: str
    mean: float | None
    interval: Ends | None = None
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the measurements say of one part of a claim.

    of: whose sentence the part is: the `report` wrote it (its words in `quote`), a `rival` in the literature did, it is the
    `claim` of an experiment of the user's, an `extension` that nobody claimed, or a `control` of the measurement itself.
    kind: *exact* is a proof or a counterexample (interval [x, x], n cases checked); *statistical* rests on an interval.
    region: where the true value must lie for the part to hold, None where it is unbounded; `edge` says why its ends stand
    where they stand. interval: at `level`, so that all intervals of a claim hold together at 95 %.
    sensitive: how the verdict changes when the edge is halved or doubled; "" where it does not.
    corrected: the statement as it should read, where the one made is wrong or half true.
    groups: the arms behind the effect. note: what a reader has to know beside the numbers.
    published: the number from the literature that stands beside `measured`; it never enters it.
    """

    claim: str
    part: str
    of: Of
    kind: Literal["exact", "statistical"]
    statement: str
    verdict: Outcome
    quote: str = ""
    corrected: str | None = None
    effect: float | None = None
    unit: str = ""
    interval: Ends | None = None
    level: float | None = None
    region: Ends | None = None
    edge: str = ""
    sensitive: str = ""
    n: int = 0
    test: str = ""
    groups: tuple[Group, ...] = ()
    note: str = ""
    published: float | None = None
    measured: float | None = None
    next_step: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a claim comes to: one word, one plain sentence that a student can quote, and the name of the figure that shows it.

    beyond: where the run judged something else than the claim as it was stated, what that is, such as "on your graph (my.npz)".
    """

    claim: str
    answer: AnswerOutcome
    sentence: str
    figure: str = ""
    beyond: str = ""


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
class Figures:
    """The figures of a run, in the order of its page, which opens with `question`."""

    question: str
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run(Provenance):
    """How a folder of results came to be. precision, device: as the jobs had them, several joined with commas.

    changed: the keys of the recipe, other than seeds, whose values are not the preset's. date: of the last command, in UTC.
    """

    experiment: str
    preset: str
    recipe: dict[str, Any]
    precision: str
    device: str
    workers: int
    jobs: tuple[str, ...]
    title: str = ""
    claims: tuple[Claim, ...] = ()
    changed: dict[str, Any] = field(default_factory=dict)
    date: str = ""
