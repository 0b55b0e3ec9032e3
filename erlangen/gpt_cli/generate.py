"""`erlangen gpt generate`."""

from __future__ import annotations


def generate() -> None:
    """To be written."""
    raise NotImplementedError
