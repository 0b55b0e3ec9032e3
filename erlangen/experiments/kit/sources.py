"""Data that experiments take from others: found or fetched before any job starts, and one way to say that they are missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

Source: TypeAlias = Literal["cora", "grimm", "cifar10", "english words"]


def require(sources: Iterable[Source]) -> None:
    """Have each source at hand, so that what cannot be had is said once, before anything starts.

    Looked for in $ERLANGEN_DATA, then in the user's cache, which a download fills. Raises ErlangenError that says what to do.
    """
    for source in sources:
        if source == "cora":
            from erlangen.data.planetoid import cora_folder

            cora_folder()
        elif source == "grimm":
            from erlangen.data.grimm import grimm

            grimm()
        elif source == "cifar10":
            from erlangen.data.cifar10 import cifar10_folder

            cifar10_folder()
        else:
            from erlangen.measure.text_statistics import english_words

            english_words()
