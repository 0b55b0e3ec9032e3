"""An option of an audit as the reader would write it: `--layout ct` on the command line, `layout='ct'` in Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_typed = ContextVar("typed", default=False)


@contextmanager
def on_command_line() -> Iterator[None]:
    """Messages within name options as they are typed."""
    token = _typed.set(True)
    try:
        yield
    finally:
        _typed.reset(token)


def option(name: str, value: str = "", python: str = "") -> str:
    """`--batch-size`, `--layout ct`; in Python `batch_size=`, `layout='ct'`, or else what `python` says."""
    if _typed.get():
        return f"--{name.replace('_', '-')}{f' {value}' if value else ''}"
    return python or f"{name}={repr(value) if value else ''}"
