"""The one task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Count:
    """Count so many steps."""

    steps: int
