"""The process that runs the user's code for `erlangen audit`: a request on stdin, the record or the fault in a file."""

from __future__ import annotations

import difflib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from erlangen.errors import ErlangenError
from erlangen.records.files import to_json


def main() -> None:
    request: dict[str, Any] = json.load(sys.stdin)
    threading.Thread(target=follow, args=(request["parent"],), daemon=True).start()
    text = json.dumps(answer(request))
    Path(request["answer"]).write_text(text, encoding="utf-8")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The record as data, or the fault in one line with its exit code."""
    try:
        return {"record": answered(request)}
    except ErlangenError as error:
        return {"fault": " ".join(str(error).split()), "exit_code": error.exit_code}
    except SystemExit as error:
        return {"fault": f"the code of {request['target']} called sys.exit({error.code!r})", "exit_code": 4}
    except MemoryError as error:
        return {"fault": f"out of memory: {error or 'give fewer or smaller inputs'}", "exit_code": 4}
    except Exception as error:
        traceback.print_exc()
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return {"fault": f"internal error: {line}; please report it with the lines above", "exit_code": 3}


def answered(request: dict[str, Any]) -> dict[str, Any]:
    """The audit that was asked for, as data."""
    from erlangen.auditing.audit import audit  # all of ours first: then no file beside the model can take a module's place
    from erlangen.auditing.loading import load_inputs, load_model

    domain = request["domain"]
    foresee(request["symmetries"], domain)
    model, inputs = load_model(request["target"])
    if inputs is None or request["input"] is not None:
        inputs, domain = load_inputs(request["input"], domain, request["n"], request["vocabulary"], request["seed"])
    found = audit(
        model,
        inputs,
        request["symmetries"],
        threshold=request["threshold"],
        domain=domain,
        vocabulary=request["vocabulary"],
        elements=request["elements"],
        batch_size=request["batch_size"],
        seed=request["seed"],
        only_exact=request["only_exact"],
        baseline=request["baseline"],
        name=request["name"],
        notify=Progress(),
    )
    return to_json(found)


def foresee(symmetries: list[str] | None, domain: str | None) -> None:
    """Raises ErlangenError for a domain or a check that there is not, before the user's code runs."""
    from erlangen.auditing.catalog import CONDITIONS, SYMMETRIES, checks

    if domain is not None and domain not in SYMMETRIES:
        close = difflib.get_close_matches(domain, SYMMETRIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose {', '.join(SYMMETRIES)}"
        raise ErlangenError(f"--domain {domain}: {hint}")
    everywhere = [symmetry.name for group in SYMMETRIES.values() for symmetry in group]
    known = {*everywhere, *(condition.name for condition in CONDITIONS)}
    for name in symmetries or ():
        if name not in known and domain is None:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(known))}"
            raise ErlangenError(f"no check is called {name!r}; {hint}")
    if domain is not None:
        checks(symmetries, domain)


def follow(parent: int) -> None:
    """Ends this process, and all that it started, once the one that asked is gone: nobody is left to take the answer."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


class Progress:
    """A line on stderr when a check starts, no more than one every two seconds, with the time left as the checks so far took."""

    def __init__(self) -> None:
        self.start = self.last = time.monotonic()

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        place, total = (int(part) for part in line.split()[0].split("/"))
        if place > 1 and now - self.last > 2:
            self.last = now
            left = int((now - self.start) / (place - 1) * (total - place + 1))
            print(f"{line}, about {left // 60}:{left % 60:02d} left", file=sys.stderr, flush=True)
