"""The `erlangen` command as users run it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
