"""Where the files of a data set are kept, and how they are downloaded.

If $ERLANGEN_DATA is set, files are read from that folder; otherwise from the user's cache, which is filled by downloads. Either
way, the readers use a file only if its SHA-256 is the published one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from erlangen.errors import ErlangenError

VARIABLE = "ERLANGEN_DATA"


class DataError(ErlangenError):
    """Data that a command needs and that is missing, unusable or cannot be downloaded."""

    exit_code = 4


def folder(relative: str, sha256: Mapping[str, str], url: str) -> Path:
    """The folder `relative` (such as 'planetoid/Cora/raw'), which has every file of `sha256` (name -> hex digest).

    url: the address of the files, ending in '/', from which those missing in the cache are downloaded. Raises DataError if a
    file is missing and cannot be downloaded.
    """
    root = os.environ.get(VARIABLE)
    if root:
        target = Path(root).expanduser() / relative
        missing = [name for name in sha256 if not (target / name).is_file()]
        if not missing:
            return target
        raise DataError(f"{target}: there is no file {missing[0]}: put it there, or unset {VARIABLE} to download it")
    return download(cache() / relative, sha256, url)


def cache() -> Path:
    """The folder for downloads, in the system's cache directory."""
    import pooch

    return Path(pooch.os_cache("erlangen"))


def download(target: Path, sha256: Mapping[str, str], url: str) -> Path:
    """Download the files that are missing in `target`, and return it. A file whose SHA-256 differs is not kept.

    Raises DataError if a download fails.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")
    for name, digest in sha256.items():
        try:
            pooch.retrieve(url + name, known_hash=f"sha256:{digest}", fname=name, path=target)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError: another digest
            lines = str(error).splitlines() or [type(error).__name__]
            raise DataError(
                f"cannot download {url}{name}: {lines[0][:120]}: try again, or set {VARIABLE} to a folder that has the files in "
                f"{'/'.join(target.parts[-3:])}"
            ) from error
    return target
