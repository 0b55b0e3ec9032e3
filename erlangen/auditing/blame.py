"""Where in the user's own code an exception was raised."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

OURS = Path(__file__).resolve().parents[1]
LIBRARIES = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def place_of(error: BaseException) -> str:
    """` (m.py, line 12)`: the last line outside of libraries and of this package, on the way to the exception that came first.

    '' if there is none.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_users(frame.filename)]
    if not frames:
        return ""
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}"
    return f" ({place})"


def is_users(filename: str) -> bool:
    """Whether a file is neither a library's, nor ours, nor made up (`<string>`)."""
    if filename.startswith("<"):
        return False
    path = Path(filename).resolve()
    return not any(path.is_relative_to(folder) for folder in (OURS, *LIBRARIES)) and "site-packages" not in path.parts
