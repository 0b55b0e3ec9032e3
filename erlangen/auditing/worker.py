"""The process that runs the user's code for `erlangen audit`: a request on stdin, the record or a fault in a file."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from erlangen.auditing.request import AuditRequest
from erlangen.errors import FAILED, INTERNAL, ErlangenError
from erlangen.records.files import to_json


def main() -> None:
    message = json.load(sys.stdin)
    threading.Thread(target=follow, args=(message["parent"],), daemon=True).start()
    text = json.dumps(answer(AuditRequest(**message["request"])))
    Path(message["answer"]).write_text(text, encoding="utf-8")


def answer(request: AuditRequest) -> dict[str, Any]:
    """The record as data, or the fault in one line with its exit code."""
    try:
        return {"record": run(request)}
    except ErlangenError as error:
        return {"fault": " ".join(str(error).split()), "exit_code": error.exit_code}
    except SystemExit as error:
        return {"fault": f"the code of {request.target} called sys.exit({error.code!r})", "exit_code": FAILED}
    except MemoryError as error:
        return {"fault": f"out of memory: {error or 'give fewer or smaller inputs'}", "exit_code": FAILED}
    except Exception as error:
        traceback.print_exc()
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return {"fault": f"internal error (please report it, with the lines above): {line}", "exit_code": INTERNAL}


def run(request: AuditRequest) -> dict[str, Any]:
    """The record of the audit, as data."""
    # all of ours first, so that no file beside the model can take the place of a module
    from erlangen.auditing.audit import run_audit
    from erlangen.auditing.catalog import find_checks
    from erlangen.auditing.domain import load_domain
    from erlangen.auditing.loading import load_model
    from erlangen.auditing.reading import load_inputs

    find_checks(request.symmetries, load_domain(request.domain) if request.domain else None)  # before the user's code runs
    model, inputs = load_model(request.target)
    if inputs is None or request.input is not None:
        inputs = load_inputs(request)
    return to_json(run_audit(request, model, inputs, progress=Progress()))


def follow(parent: int) -> None:
    """Ends this process, and all that it started, once its parent is gone: nobody is left to take the answer."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


class Progress:
    """Prints a line to stderr when a check starts, at most every two seconds, with an estimate of the time left."""

    def __init__(self) -> None:
        self.start = self.last = time.monotonic()

    def __call__(self, number: int, total: int, name: str) -> None:
        now = time.monotonic()
        if number > 1 and now - self.last > 2:
            self.last = now
            left = int((now - self.start) / (number - 1) * (total - number + 1))
            print(f"{number}/{total} {name}, about {left // 60}:{left % 60:02d} left", file=sys.stderr, flush=True)
