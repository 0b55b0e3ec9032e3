"""An audit in a separate process: the user's code may print, hang or crash without harm to the command. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from erlangen.auditing.request import AuditRequest
from erlangen.errors import FAILED, ErlangenError
from erlangen.records.audit import AuditRecord
from erlangen.records.files import from_json

# Not `-m`: it would put the current folder before Python's own modules, and a `json.py` there would be run as ours
WORKER = "import sys; sys.path.append(sys.argv[1]); from erlangen.auditing.worker import main; main()"


class AuditError(ErlangenError):
    """The audit did not finish. The exit code is the worker's, or 4."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def launch(request: AuditRequest, timeout: float | None = None) -> AuditRecord:
    """The record of the audit.

    What the user's code prints goes to stderr. Raises AuditError with one line if model or inputs fail, the process dies, or
    `timeout` seconds have passed.
    """
    sys.stderr.flush()
    with tempfile.TemporaryDirectory(prefix="erlangen-") as folder:
        answer = Path(folder) / "answer.json"
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno(),
            text=True,
            start_new_session=True,
        )
        try:
            process.communicate(json.dumps({"request": asdict(request), "answer": str(answer), "parent": os.getpid()}), timeout)
        except subprocess.TimeoutExpired:
            raise AuditError(f"{request.target} was stopped after {timeout:g} s; give it more time with --timeout") from None
        finally:
            stop(process)
        if not answer.exists():
            raise AuditError(f"the process that ran {request.target} {describe_exit(process.returncode)} before it was done")
        reply = json.loads(answer.read_text(encoding="utf-8"))
    if "fault" in reply:
        raise AuditError(reply["fault"], reply["exit_code"])
    return from_json(AuditRecord, reply["record"], "the record of the audit")


def describe_exit(code: int) -> str:
    """`was killed by SIGSEGV`, `ended with exit code 9`"""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}{' (out of memory?)' if code == -signal.SIGKILL else ''}"


def stop(process: subprocess.Popen[str]) -> None:
    """Ends the process and all processes that it started, including those that it left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
