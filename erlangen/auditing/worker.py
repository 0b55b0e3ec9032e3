"""The process that runs the user's code for `erlangen audit`: a request on stdin, the record or a fault in a file."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from erlangen.auditing.blame import place_of
from erlangen.auditing.request import AuditRequest
from erlangen.auditing.spelling import on_command_line
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
        with on_command_line():
            return {"record": run(request)}
    except ErlangenError as error:
        fault, place = " ".join(str(error).split()), place_of(error)
        return {"fault": fault if place in fault else fault + place, "exit_code": error.exit_code}
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
    from erlangen.auditing.loading import load_function, load_model, load_symmetry
    from erlangen.auditing.part import as_select
    from erlangen.auditing.reading import describe_source, load_inputs

    named = [name for name in request.symmetries or () if ":" not in name]
    find_checks(named, load_domain(request.domain) if request.domain else None)  # before the user's code runs
    model, inputs = load_model(request.target, request.build)
    notes: tuple[str, ...] = ()
    if inputs is None or request.input is not None:
        inputs, notes = load_inputs(request, model)
    if request.symmetries is not None:
        symmetries = [load_symmetry(name) if ":" in name else name for name in request.symmetries]
        request = replace(request, symmetries=tuple(symmetries))
    if request.preprocess is not None:
        request = replace(request, preprocess=load_function("--preprocess", request.preprocess))
    record = run_audit(request, model, inputs, select=as_select(request.select), progress=Progress())
    source = describe_source(request, record.domain)
    return to_json(replace(record, model=f"{request.target} ({record.model})", source=source, notes=(*notes, *record.notes)))


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
            with suppress(BrokenPipeError):  # `erlangen audit … 2>&1 | head`: a reader that left does not end the audit
                print(f"{number}/{total} {name}, about {left // 60}:{left % 60:02d} left", file=sys.stderr, flush=True)
