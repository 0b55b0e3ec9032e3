"""Where the numbers of a record come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from erlangen.records.files import Scalar


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the numbers of a record come from. source: the file or folder; notes: what a reader has to know."""

    model: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Scalar] = field(default_factory=dict)
