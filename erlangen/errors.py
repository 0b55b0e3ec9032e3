"""What a user can mend: one line that says what, where, why and what to do. Every error of ours is one of these."""

from __future__ import annotations


class ErlangenError(Exception):
    """A fault the user can mend: one line that says what, where, why and what to do. `exit_code` as in the README."""

    exit_code = 2


class DamagedFileError(ErlangenError):
    """A file that does not hold what was written to it."""


class NewerSchemaError(ErlangenError):
    """A file written by a newer version of erlangen."""
