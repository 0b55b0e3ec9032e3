"""CIFAR-10: 50 000 + 10 000 color images of 32 × 32 pixels in ten classes, from the official binary archive.

A record is 1 byte for the label and 3072 for the pixels, first all red, then all green, then all blue; 10 000 records a file.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html
(no license stated). The files are not part of this package.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch

from erlangen.data import files
from erlangen.data.files import DataError
from erlangen.data.labeled_images import LabeledImages
from erlangen.errors import DamagedFileError

Part: TypeAlias = Literal["train", "test"]

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-bin"  # the archive's only folder
FILES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
NAMES = (*FILES["train"], *FILES["test"])
SIDE, RECORDS = 32, 10_000  # pixels; images per file
RECORD = 1 + 3 * SIDE**2  # bytes

URL = "https://www.cs.toronto.edu/~kriz/"
ARCHIVE = "cifar-10-binary.tar.gz"
# The source's page states the MD5 c32a1d4ab5d03f1284b67883e8d87530, which is no longer safe. Independent projects that downloaded
# the archive (170 052 171 bytes) pin this SHA-256, MLDatasets.jl among them; the address itself could not be tried here.
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
ADVICE, AGAIN = f"unpack {ARCHIVE} there", f"unpack or download {ARCHIVE} again"


def cifar10(part: Part, folder: Path | None = None) -> LabeledImages:
    """The training or test images (N, 3, 32, 32) uint8, N = 50 000 or 10 000, in the order of the files.

    folder: where the files are, see `cifar10_folder`. Raises DataError if a file is missing, DamagedFileError if it is not whole
    records of images in ten classes. Checksums are not compared, so that re-encoded copies can be read too.
    """
    place, names = cifar10_folder(folder), FILES[part]
    images = torch.empty(len(names) * RECORDS, 3, SIDE, SIDE, dtype=torch.uint8)
    labels = torch.empty(len(images), dtype=torch.int64)
    for name, pixels, classes in zip(names, torch.split(images, RECORDS), torch.split(labels, RECORDS), strict=True):
        records = _records(place / name)
        classes.numpy()[:] = records[:, 0]
        pixels.numpy().reshape(RECORDS, -1)[:] = records[:, 1:]  # NumPy copies such rows faster than torch
    return LabeledImages(images, labels, CLASSES)


def cifar10_folder(folder: Path | None = None) -> Path:
    """The folder of the six .bin files: `folder` or its subfolder cifar-10-batches-bin; without one, the same of
    $ERLANGEN_DATA/cifar10; without that, a download.

    Raises DataError if a file is missing or the download fails, DamagedFileError if a file does not have its full size.
    """
    if folder is not None:
        return _complete(Path(folder).expanduser(), ADVICE)
    root = os.environ.get(files.VARIABLE)
    if root:
        return _complete(Path(root).expanduser() / "cifar10", f"{ADVICE}, or unset {files.VARIABLE} to download it")
    return _downloaded(files.cache() / "cifar10")


def _complete(folder: Path, advice: str) -> Path:
    """The folder, or its subfolder, that has all files, in their full size. Raises errors that end in the advice."""
    place = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    for name in NAMES:
        if not (place / name).is_file():
            raise DataError(f"{place}: there is no file {name} of CIFAR-10: {advice}")
        _check_size(place / name, (place / name).stat().st_size, advice)
    return place


def _check_size(path: Path, size: int, advice: str) -> None:
    if size != RECORDS * RECORD:
        raise DamagedFileError(
            f"{path}: it has {size} bytes, not the {RECORDS * RECORD} of {RECORDS} images of CIFAR-10: {advice}"
        )


def _downloaded(cache: Path) -> Path:
    """The unpacked archive in the cache. What an interrupted download or unpacking left behind is replaced."""
    try:
        return _complete(cache / FOLDER, "")
    except (DataError, DamagedFileError):
        pass  # download it
    try:
        files.download(cache, {ARCHIVE: SHA256}, URL)
    except DataError as error:
        reason = str(error).partition(": try again")[0]
        raise DataError(f"{reason}: try again, or unpack {ARCHIVE} from elsewhere and give that folder") from error.__cause__
    try:
        _unpack(cache / ARCHIVE, cache / FOLDER)
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        raise DataError(f"cannot unpack {cache / ARCHIVE}: {error}: make room in {cache}, or empty it, and try again") from error
    return _complete(cache / FOLDER, f"empty {cache} and try again")


def _unpack(archive: Path, place: Path) -> None:
    """Write the six files of an archive, each under another name until it is complete, then delete the archive."""
    place.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as opened:
        for name in NAMES:
            member = opened.extractfile(f"{FOLDER}/{name}")
            if member is None:
                raise KeyError(f"{FOLDER}/{name} is not a file")
            draft = place / f"{name}.{os.getpid()}"
            draft.write_bytes(member.read())
            draft.replace(place / name)
    archive.unlink(missing_ok=True)


def _records(path: Path) -> np.ndarray:
    """The records (10 000, 3073) uint8 of a file. Raises DataError or DamagedFileError that says what is wrong with it."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}: {AGAIN}") from error
    _check_size(path, len(data), AGAIN)
    records = data.reshape(RECORDS, RECORD)
    wrong = np.flatnonzero(records[:, 0] >= len(CLASSES))
    if len(wrong):
        place = int(wrong[0])
        raise DamagedFileError(
            f"{path}: image {place} has the label {records[place, 0]}, but the classes are numbered 0 to 9: {AGAIN}"
        )
    return records
