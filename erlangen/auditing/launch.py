"""An audit in a process of its own: the user's code may print, hang or crash, and harms no one but itself. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from erlangen.audited import AuditRecord
from erlangen.results import ErlangenError, from_json


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
    with tempfile.TemporaryDirectory(prefix="erlangen-") as folder:
        answer = Path(folder) / "answer.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "erlangen.auditing.worker"],
            stdin=subprocess.PIPE, stdout=sys.stderr.fileno(), text=True, start_new_session=True,
        )  # fmt: skip
        try:
            process.communicate(json.dumps({**request, "answer": str(answer)}), timeout)
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
    """Ends the process and all that it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
