"""What Ray keeps to this machine, this user and its own log files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from erlangen.sweep.local import environment_for_children

NO_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}  # the latter silences a warning
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # no other machine will join: Ray's address is 127.0.0.1


@cache
def token() -> str:
    """Of the clusters that this process starts; Ray keeps the first that it has read."""
    return secrets.token_hex(32)


@contextmanager
def own_token() -> Iterator[None]:
    """A cluster that is started inside demands our token. Which it does by itself where RAY_AUTH_MODE is not set."""
    mode = os.environ.pop("RAY_AUTH_MODE", None)
    try:
        with environment_for_children({"RAY_AUTH_TOKEN": token()}):
            yield
    finally:
        os.environ.pop("RAY_AUTH_MODE", None)
        os.environ.update({} if mode is None else {"RAY_AUTH_MODE": mode})


@contextmanager
def silent_raylet() -> Iterator[None]:
    """Keep pages of Ray's own logs, which it prints when a machine dies, off stdout, which has our results alone."""
    import ray._private.worker

    internals: Any = ray._private.worker
    before = internals.print_to_stdstream
    internals.print_to_stdstream = lambda *args, **options: None
    try:
        yield
    finally:
        internals.print_to_stdstream = before
