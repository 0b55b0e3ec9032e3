"""A run that is killed at a certain file, in a process of its own.

The process comes from multiprocessing's fork server, which has imported torch once for all and has no threads: a process that
forks while another of its threads holds a lock, as that of a test may, leaves its child waiting for ever.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from pathlib import Path
from typing import Any

Kill = tuple[int, bool]


def attempt(package: str, folder: Path, seeds: int, workers: int, kill: Kill | None, limit: float = 300.0) -> int:
    """Run the package's experiment in a process of its own, on workers; returns 0, 1 for an error, or minus the signal.

    kill: (n, done) kills it and its workers at the n-th file that it writes, before that file has its name or just after. Its
    workers are forked, not started anew. Raises TimeoutError after `limit` seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "erlangen", "erlangen.sweep.run", "erlangen.sweep.local"])
    child = context.Process(target=run_there, args=(package, str(folder), seeds, workers, kill))
    child.start()
    assert child.pid is not None
    child.join(limit)
    late = child.exitcode is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.join()
    if late:
        raise TimeoutError(f"a run on {workers} workers did not end within {limit:.0f} s")
    assert child.exitcode is not None
    return child.exitcode


def run_there(package: str, folder: str, seeds: int, workers: int, kill: Kill | None) -> None:
    """What the process does: it leads a group of its own, so that a kill takes its workers with it."""
    import erlangen

    os.setsid()
    fork: Any = multiprocessing.get_context("fork")
    multiprocessing.get_context = lambda method=None: fork  # type: ignore[assignment,method-assign]
    die_at(kill)
    try:
        erlangen.run(package, seeds=seeds, out=folder, workers=workers, timeout=60)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def die_at(kill: Kill | None) -> None:
    """From now on the n-th file that gets its name is the last thing that this group of processes does."""
    replace, count = os.replace, 0

    def deadly(source: Any, target: Any) -> None:
        nonlocal count
        count += 1
        if kill == (count, False):
            os.killpg(0, signal.SIGKILL)
        replace(source, target)
        if kill == (count, True):
            os.killpg(0, signal.SIGKILL)

    os.replace = deadly  # type: ignore[assignment]
