"""Records as JSON files: written atomically, read back with every field checked.

Non-finite numbers have no place in JSON: they are stored as null and read back as None, and None never counts as measured.
"""

from __future__ import annotations

import glob
import json
import math
import os
import tempfile
import time
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from erlangen.errors import DamagedFileError, ErlangenError, NewerSchemaError, OlderSchemaError, UnreadableFileError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = 2  # raised whenever an older reader would misread a file
ABANDONED = 3600.0  # seconds after which nobody is still writing a file
Scalar: TypeAlias = str | int | float | bool | None
Record = TypeVar("Record")


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

    Raises NewerSchemaError or OlderSchemaError for another schema, and DamagedFileError where a field is missing, unknown or of
    a wrong type.
    """
    from pydantic import ValidationError

    if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
        raise DamagedFileError(f"{where or kind.__name__}: no schema number in it")
    if data["schema"] > SCHEMA:
        raise NewerSchemaError(
            f"{where or kind.__name__} was written in schema {data['schema']}, this version reads up to {SCHEMA}: "
            "upgrade erlangen, or choose another folder"
        )
    if data["schema"] < SCHEMA:
        raise OlderSchemaError(
            f"{where or kind.__name__} was written by an older version of erlangen (schema {data['schema']}, this one reads "
            f"{SCHEMA}): make it again, or read it with the version that wrote it"
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
        kind = ErlangenError if isinstance(error, FileNotFoundError) else UnreadableFileError
        raise kind(f"cannot read {path}: {error.strerror}") from None


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
            f"cannot write {path}: {error.strerror or error}; free space or choose another path (what was there before is kept)"
        ) from error
