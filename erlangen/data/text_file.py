"""A text to train on: the Grimms' tales, or a text file of the user's that must be the one a job was planned with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from erlangen.data.files import DataError
from erlangen.data.grimm import grimm
from erlangen.data.text import read_text, strip_gutenberg

DIGITS = 16  # of a SHA-256 in hex, in a job's parameters


def named_text(name: str, digest: str = "") -> str:
    """ "grimm", or the text of a UTF-8 file, without what Project Gutenberg puts around a book.

    digest: see `check_digest`. Raises DataError where the text cannot be had.
    """
    if name == "grimm":
        return grimm()
    check_digest(name, digest)
    return strip_gutenberg(read_text(Path(name).expanduser()))


def digest_of(name: str) -> str:
    """The first 16 hex digits of the SHA-256 of a text file. Raises DataError where it is missing or is not UTF-8 text."""
    path = Path(name).expanduser()
    if not path.exists():
        raise DataError(f"{name}: neither grimm nor tales, and no such file: give the path of a UTF-8 text file")
    read_text(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]


def check_digest(name: str, digest: str) -> None:
    """Raises DataError unless the file is the one that a job was planned with; "" stands for any."""
    if digest and digest_of(name) != digest:
        raise DataError(f"{name}: the file has changed since this run began: run the same command again")
