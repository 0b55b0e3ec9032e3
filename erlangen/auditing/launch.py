"""An audit in a process of its own: the user's code may print, hang or crash, and harms no one but itself. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import erlangen
from erlangen.errors import ErlangenError
from erlangen.records.audit import AuditRecord
from erlangen.records.files import from_json

# Not `-m`: it would put the current folder before Python's own modules, and a `json.py` there would be run as ours
WORKER = "import sys; sys.path.append(sys.argv[1]); from erlangen.auditing.worker import main; main()"


class AuditError(ErlangenError):
    """The audit did not come to its end; exit code as the worker said, or 4."""

    def __init__(self, message: str, exit_code: int = 4) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def launch(request: dict[str, Any], timeout: float | None = None) -> AuditRecord:
    """The record of the audit that `request` asks for (see `worker`).

    What the user's code prints goes to stderr. Raises AuditError with one line where model or inputs fail, the process dies, or
    `timeout` seconds pass.
    """
    sys.stderr.flush()
    with tempfile.TemporaryDirectory(prefix="erlangen-") as folder:
        answer = Path(folder) / "answer.json"
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER, str(Path(erlangen.__file__).parents[1])],
            stdin=subprocess.PIPE, stdout=sys.stderr.fileno(), text=True, start_new_session=True,
        )  # fmt: skip
        try:
            process.communicate(json.dumps({**request, "answer": str(answer), "parent": os.getpid()}), timeout)
        except subprocess.TimeoutExpired:
            raise AuditError(f"{request['target']} took more than {timeout:g} s: stopped; allow more with --timeout") from None
        finally:
            stop(process)
        if not answer.exists():
            code = process.returncode
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            more = " (out of memory?)" if code == -signal.SIGKILL else ""
            raise AuditError(f"the process that ran {request['target']} {how}{more} before the audit was done")
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "fault" in found:
        raise AuditError(found["fault"], found["exit_code"])
    return from_json(AuditRecord, found["record"], "the audit's record")


def stop(process: subprocess.Popen[str]) -> None:
    """Ends the process and all that it started, those too that it left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def foresee(target: str, source: str | None, threshold: float) -> None:
    """Raises ErlangenError for what cannot be an audit, before seconds are spent on loading torch and a model."""
    if not 0 < threshold < math.inf:
        raise ErlangenError(f"--threshold {threshold:g}: it must be positive, in units of the output's spread; 0.1 is usual")
    place, colon, name = target.rpartition(":")
    if target.endswith(".onnx"):
        place = target
    elif not colon or not place or not name:
        raise ErlangenError(f"{target}: name what builds the model, as FILE.py:build or package.module:build")
    if place.endswith((".py", ".onnx")) and not Path(place).is_file():
        raise ErlangenError(f"no file {place}: name an existing one, as FILE.py:build, package.module:build or FILE.onnx")
    if source is not None and not Path(source).exists() and re.fullmatch(r"[0-9]+([x,][0-9]+)*", source) is None:
        raise ErlangenError(f"--input {source}: no such file or folder, and no shape as 3x224x224")
