"""`erlangen gpt train`."""

from __future__ import annotations


def train() -> None:
    """To be written."""
    raise NotImplementedError
