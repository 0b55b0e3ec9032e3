"""One run in a folder at a time."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from erlangen.errors import ErlangenError


def lock(path: Path) -> IO[str]:
    """An open file that keeps other runs out of the folder until it is closed, or its process ends, however it ends.

    Raises ErlangenError where another run has it, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise ErlangenError(f"cannot write to {path.parent}: {error.strerror}; name another folder with --out") from None
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass  # no such locks on Windows; two runs would only compute the same files twice
    except OSError:
        file.close()
        raise ErlangenError(f"another run is writing to {path.parent}: wait for it, or name another folder with --out") from None
    return file
