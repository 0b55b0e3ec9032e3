"""The one task of the toy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

What: TypeAlias = Literal["add", "wait", "fail", "die", "die-once", "hold", "note", "note-alone", "repeat", "hog"]


@dataclass(frozen=True, kw_only=True)
class Toy:
    """Add one and one, or misbehave."""

    what: What
    wait: float
    where: str
