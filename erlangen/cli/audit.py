"""`erlangen audit`: parsing and printing only. The audit itself runs in a process of its own."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from erlangen.cli.outputs import Html, Json, Junit, Outputs, as_json
from erlangen.cli.terminal import Stopped, say

Option = typer.Option


def audit(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="FILE.py:build, package.module:build or FILE.onnx.")],
    source: Annotated[
        str | None, Option("--input", metavar="WHAT", help="File, folder of images, or a shape like 3x224x224.")
    ] = None,
    symmetries: Annotated[
        list[str] | None, Option("--symmetry", metavar="NAME", help="Check to run; repeatable. Default: the domain's.")
    ] = None,
    domain: Annotated[str | None, Option(help="images, texts, graphs, points or series.")] = None,
    threshold: Annotated[float, Option(help="Error threshold, in units of the output's spread.")] = 0.1,
    only_exact: Annotated[bool, Option("--only-exact", help="Test exactness only, on a few inputs: fast.")] = False,
    baseline: Annotated[bool, Option("--baseline", help="Also measure a copy with fresh weights.")] = False,
    number: Annotated[int, Option("-n", "--inputs", min=0, help="How many inputs to read or make; 0: all.")] = 32,
    elements: Annotated[int, Option(min=1, help="Transformations drawn per input.")] = 8,
    vocabulary: Annotated[int | None, Option(min=2, help="Vocabulary size, for made-up texts.")] = None,
    batch_size: Annotated[int, Option(min=1, help="Inputs per call of the model.")] = 32,
    seed: Annotated[int, Option(min=0, help="Random seed.")] = 0,
    timeout: Annotated[float | None, Option(min=0.1, metavar="S", help="Stop the audit after this many seconds.")] = None,
    strict: Annotated[bool, Option("--strict", help="Exit 1 for undecided checks, too.")] = False,
    html: Html = None,
    junit: Junit = None,
    json_file: Json = None,
) -> None:
    """Measure which symmetries a model has.

    The code runs with your full permissions: audit only code you trust. Each symmetry is exact, holds, broken, undecided or not
    measured. Exit code 1: a symmetry is broken; 4: the model or its inputs failed; 5: a check was not measured.
    """
    from dataclasses import replace

    from erlangen.auditing.launch import launch
    from erlangen.auditing.request import AuditRequest
    from erlangen.records.files import to_json
    from erlangen.report.audit_junit import audit_junit
    from erlangen.report.audit_text import audit_text

    request = AuditRequest(
        target=model, input=source, n=number, symmetries=tuple(symmetries) if symmetries else None, domain=domain,
        vocabulary=vocabulary, threshold=threshold, elements=elements, batch_size=batch_size, seed=seed, only_exact=only_exact,
        baseline=baseline,
    )  # fmt: skip
    request.check_files()
    outputs = Outputs({"--html": html, "--junitxml": junit, "--json": json_file})
    say(f"auditing {model} in a separate process. The code runs with your full permissions: audit only code you trust.")
    try:
        record = launch(request, timeout)
    except Stopped as stopped:
        say(f"erlangen: {stopped}: the audit of {model} was not finished, and nothing was written")
        raise
    record = replace(record, command=shlex.join(["erlangen", *sys.argv[1:]]))

    def page() -> str:
        from erlangen.report.audit_page import audit_html

        return audit_html(record)

    contents = {"--html": page, "--junitxml": lambda: audit_junit(record), "--json": lambda: as_json(to_json(record))}
    code = outputs.deliver(contents, lambda: print(audit_text(record)))
    raise SystemExit(code or record.exit_code(strict))
