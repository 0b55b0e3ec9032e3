"""Errors in an experiment of the user's own: theirs to mend, so they are told apart from internal errors."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from erlangen.errors import ErlangenError, UserCodeError
from erlangen.experiments.modules import find, is_installed

PACKAGE = Path(__file__).parents[1]


@contextmanager
def user_code(module: str) -> Iterator[None]:
    """Around calls into an experiment, its package named as Python imports it. Of an experiment of ours, nothing changes.

    Of a user's own, any exception ends as UserCodeError with the exception as its cause. An ErlangenError is one clear line
    already, and passes. `sys.exit()` in the user's code counts as an exception.
    """
    try:
        yield
    except ErlangenError:
        raise
    except (Exception, SystemExit) as error:
        if module.split(".")[0] == PACKAGE.name:
            raise
        text = " ".join(str(error).split())
        raise UserCodeError(f"{place_of(error, module)}: {type(error).__name__}{': ' if text else ''}{text}") from error


def place_of(error: BaseException, module: str) -> str:
    """'lab/judge.py, line 12': where the user's code raised it or led to it; the package's name where no line of theirs did."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return f"{shown(Path(error.filename))}, line {error.lineno}"
    package = find(module)
    own = package.folders if package else ()
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = Path(frame.f_code.co_filename)
        theirs = not is_installed(file) and not file.is_relative_to(PACKAGE)
        if file.is_file() and (theirs or any(file.is_relative_to(folder) for folder in own)):
            return f"{shown(file)}, line {line}"
    return module


def shown(file: Path) -> Path:
    """Relative to the working directory where it is below it."""
    return file.relative_to(os.getcwd()) if file.is_absolute() and file.is_relative_to(os.getcwd()) else file
