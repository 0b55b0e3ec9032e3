"""The process that runs the user's code for `erlangen audit`: a request on stdin, the record or the fault in a file."""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from erlangen.results import ErlangenError, to_json


def main() -> None:
    request: dict[str, Any] = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = {"record": answered(request)}
    except ErlangenError as error:
        answer = {"fault": str(error), "exit_code": error.exit_code}
    except Exception as error:
        traceback.print_exc()
        answer = {"fault": f"{type(error).__name__}: {error}", "exit_code": 3}
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def answered(request: dict[str, Any]) -> dict[str, Any]:
    """The audit that was asked for, as data."""
    from erlangen.auditing.audit import audit
    from erlangen.auditing.loading import load_inputs, load_model

    model, inputs = load_model(request["target"])
    domain = request["domain"]
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


if __name__ == "__main__":
    main()
