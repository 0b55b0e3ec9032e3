"""What a user can mend, in one line that says what, where, why and what to do; and the exit codes of every command."""

from __future__ import annotations

BREACHED = 1  # `audit`: a threshold was breached; `run --strict`: a verdict is refuted or inconclusive
USAGE = 2  # usage or configuration: no such option, file or name; a folder that is full or cannot be written
INTERNAL = 3  # an internal error
FAILED = 4  # a model, a file or an experiment of the user's is there, but cannot be read, loaded or run; or a job failed
NOT_MEASURED = 5  # something that was asked for was not measured


class ErlangenError(Exception):
    """Something the user can mend. Its text is the one line that the command prints."""

    exit_code = USAGE


class UnreadableFileError(ErlangenError):
    """A file that is there, but cannot be read."""

    exit_code = FAILED


class DamagedFileError(UnreadableFileError):
    """A file that does not hold what was written to it."""


class NewerSchemaError(UnreadableFileError):
    """A file written by a newer version of erlangen."""


class OlderSchemaError(DamagedFileError):
    """A file written by an older version of erlangen, whose fields meant something else."""


class UserCodeError(ErlangenError):
    """An exception in a user's own experiment. Its text names the file, the line and the error; `__cause__` has the traceback."""

    exit_code = FAILED
