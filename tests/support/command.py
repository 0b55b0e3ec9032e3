"""The `erlangen` command as users run it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]


def environment(*paths: Path, **variables: str) -> dict[str, str]:
    """Ours, with `variables`, and with the toy experiment (and `paths`, before it) on the module path."""
    inherited = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    return {**os.environ, **variables, "PYTHONPATH": os.pathsep.join([*map(str, paths), str(TESTS), *inherited])}


def start(
    *args: object, cwd: Path, paths: tuple[Path, ...] = (), variables: dict[str, str] | None = None, **options: object
) -> subprocess.Popen[str]:
    """Start the command and return at once."""
    return subprocess.Popen(
        [sys.executable, "-m", "erlangen", *map(str, args)],
        cwd=cwd,
        env=environment(*paths, **(variables or {})),
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},  # type: ignore[call-overload]
    )


def erlangen(
    *args: object, cwd: Path, paths: tuple[Path, ...] = (), variables: dict[str, str] | None = None, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    process = start(*args, cwd=cwd, paths=paths, variables=variables, **options)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll until the condition is true; returns what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
