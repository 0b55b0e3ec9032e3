"""The image sets that a recipe can name: generated ones, CIFAR-10, or a folder. Imports no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from erlangen.data.files import DataError

NAMED = ("generated", "cifar10")


def holds_cifar10(data: str) -> bool:
    """Whether a folder has CIFAR-10's binary files, itself or in its subfolder cifar-10-batches-bin."""
    folder = Path(data).expanduser()
    return any((place / "test_batch.bin").is_file() for place in (folder, folder / "cifar-10-batches-bin"))


def digest_of(data: str) -> str:
    """16 hex digits over the names and sizes of all files of a folder, so that a changed folder is computed anew.

    "" for NAMED data. Raises DataError where there is no such folder, or nothing in it.
    """
    if data in NAMED:
        return ""
    folder = Path(data).expanduser()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise DataError(
            f"{data}: there is no folder of images: choose generated, cifar10 or a folder, as in --set data=my_images"
        )
    listing = "\n".join(f"{path.relative_to(folder)} {path.stat().st_size}" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest()[:16]
