"""Where the files of a data set lie, and how they come there.

Looked for first in $ERLANGEN_DATA, a folder of the user's, then in the user's cache, which a download fills. Either way a file is
used only if its SHA-256 is the published one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from erlangen.errors import ErlangenError

VARIABLE = "ERLANGEN_DATA"


class DataError(ErlangenError):
    """Data that a run asks for and that is neither here nor to be had."""

    exit_code = 4


def folder(relative: str, sha256: Mapping[str, str], url: str) -> Path:
    """The folder `relative` (as 'planetoid/Cora/raw') with every file of `sha256` (name -> hex digest) in it.

    url: where the files are, ending in '/', for those that the cache lacks. Raises DataError where they cannot be had.
    """
    own = os.environ.get(VARIABLE)
    if own:
        found = Path(own).expanduser() / relative
        missing = [name for name in sha256 if not (found / name).is_file()]
        if not missing:
            return found
        raise DataError(f"{found}: no file {missing[0]}: put it there, or unset {VARIABLE} to download it")
    return download(cache() / relative, sha256, url)


def cache() -> Path:
    """Where downloads are kept: the system's place for caches."""
    import pooch

    return Path(pooch.os_cache("erlangen"))


def download(target: Path, sha256: Mapping[str, str], url: str) -> Path:
    """`target`, with every file in it that it lacked. A file whose SHA-256 differs is not kept. Raises DataError."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    for name, digest in sha256.items():
        try:
            pooch.retrieve(url + name, known_hash=f"sha256:{digest}", fname=name, path=target)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError: another digest
            lines = str(error).splitlines() or [type(error).__name__]
            raise DataError(
                f"cannot download {url}{name}: {lines[0][:120]}: try again, or put the files where {VARIABLE} points, in "
                f"{'/'.join(target.parts[-3:])}"
            ) from error
    return target
