"""`erlangen gpt look`."""

from __future__ import annotations


def look() -> None:
    """To be written."""
    raise NotImplementedError
