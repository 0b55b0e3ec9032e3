"""The records that everything else exchanges: frozen, plain, JSON in and out. Imports nothing of ours.

Non-finite numbers have no place in JSON: they are stored as null and read back as None, and None never counts as measured.
"""

from __future__ import annotations

import glob
import hashlib
import json
import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = 1  # raised whenever an older reader would misread a file
ABANDONED = 3600.0  # seconds after which nobody is still writing a file

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = float | tuple[float | None, ...] | None
Outcome: TypeAlias = Literal["supported", "refuted", "inconclusive", "not measured"]
Record = TypeVar("Record")


class ErlangenError(Exception):
    """A fault the user can mend: one line that says what, where, why and what to do. `exit_code` as in the README."""

    exit_code = 2


class DamagedFileError(ErlangenError):
    """A file that does not hold what was written to it."""


class NewerSchemaError(ErlangenError):
    """A file written by a newer version of erlangen."""


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
class Provenance:
    """Where the numbers of a record come from. source: the file or folder; notes: what a reader has to know."""

    model: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Scalar] = field(default_factory=dict)


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


def canonical(data: object) -> str:
    """One text for equal data: sorted keys, no spaces, no NaN."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def finite(data: Any) -> Any:
    """`data` with every number that is not finite replaced by None, tuples by lists."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(value) for value in data]
    return data


def to_json(record: object) -> dict[str, Any]:
    """A record as JSON data, with the schema it was written in."""
    return {"schema": SCHEMA, **finite(asdict(record))}  # type: ignore[call-overload]


def from_json(kind: type[Record], data: object, where: str = "") -> Record:
    """The record that `to_json` wrote.

    Raises NewerSchemaError for a later schema and DamagedFileError where a field is missing, unknown or of a wrong type.
    """
    from pydantic import ValidationError

    if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
        raise DamagedFileError(f"{where or kind.__name__}: no schema number in it")
    if data["schema"] > SCHEMA:
        raise NewerSchemaError(
            f"{where or kind.__name__} was written in schema {data['schema']}, this version reads up to {SCHEMA}: "
            "upgrade erlangen, or name another folder with --out"
        )
    fields = {name: value for name, value in data.items() if name != "schema"}
    unknown = fields.keys() - kind.__dataclass_fields__.keys()  # type: ignore[attr-defined]
    if unknown:
        raise DamagedFileError(f"{where or kind.__name__}: unknown field {sorted(unknown)[0]!r}")
    try:
        adapter: TypeAdapter[Record] = _adapter(kind)  # type: ignore[arg-type]  # every record type is hashable
        return adapter.validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise DamagedFileError(f"{where or kind.__name__}: {place}: {first['msg']}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def read_json(path: Path) -> Any:
    """JSON from a file. Raises DamagedFileError where it holds none, ErlangenError where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise DamagedFileError(f"{path}: truncated or not JSON") from None
    except OSError as error:
        raise ErlangenError(f"cannot read {path}: {error.strerror}") from None


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside `path`, sync, rename: a reader, or a run killed at any moment, sees the old file or the new, never half.

    Raises ErlangenError where the folder cannot be written or the disk is full; the old file then stays as it was. What a
    killed run left half written beside this very file is removed once it is an hour old.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink(missing_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise ErlangenError(
            f"cannot write {path}: {error.strerror or error}; free space or name another folder with --out "
            "(what was written before is kept)"
        ) from error
