"""`erlangen audit`: parsing and printing only. The audit itself runs in a process of its own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erlangen.cli.outputs import Html, Json, Junit, Outputs, as_json
from erlangen.cli.terminal import Stopped, say
from erlangen.errors import BREACHED, NOT_MEASURED, ErlangenError

if TYPE_CHECKING:
    from erlangen.records.audit import AuditRecord
    from erlangen.records.expectations import Expectations

Option = typer.Option


def print_checks(asked: bool) -> None:
    if asked:
        from erlangen.auditing.checks import listing

        print(listing())
        raise typer.Exit


def audit(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="FILE.py:build, package.module:build or FILE.onnx.")],
    source: Annotated[
        str | None, Option("--input", metavar="WHAT", help="File, folder of images, or a shape like 3x224x224.")
    ] = None,
    symmetries: Annotated[
        list[str] | None, Option("--symmetry", metavar="NAME", help="Check to run, or FILE.py:Mine; repeatable.")
    ] = None,
    skip: Annotated[list[str] | None, Option("--skip", metavar="NAME", help="Check to leave out; repeatable.")] = None,
    checks: Annotated[
        bool, Option("--list", callback=print_checks, is_eager=True, help="List all checks by domain and exit.")
    ] = False,
    domain: Annotated[str | None, Option(help="images, texts, graphs, points, series, volumes.")] = None,
    layout: Annotated[str | None, Option(metavar="AXES", help="Order of the axes: chw, hwc, ct, tc, tbc, ...")] = None,
    preprocess: Annotated[str | None, Option(metavar="FILE.py:F", help="Function to apply to each input.")] = None,
    build: Annotated[
        list[str] | None, Option("--build", metavar="NAME=VALUE", help="Argument of the builder; repeatable.")
    ] = None,
    arguments: Annotated[
        list[str] | None, Option("--argument", metavar="NAME=VALUE", help="Model argument: value, ones or zeros.")
    ] = None,
    state: Annotated[list[str] | None, Option("--state", metavar="IN=OUT", help="State of an ONNX graph; repeatable.")] = None,
    select: Annotated[str | None, Option(metavar="NAME", help="Output to judge, by name or place from 0.")] = None,
    output: Annotated[str | None, Option(metavar="KIND", help="Its kind: vector, map, ..., or NAME=KIND,...")] = None,
    permuted: Annotated[
        list[str] | None, Option("--permuted-classes", metavar="NAME=A:B", help="Classes it permutes: reflection=0:1.")
    ] = None,
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
    expect: Annotated[
        Path | None, Option("--expect", metavar="FILE", help="TOML with the expected judgment of each check.")
    ] = None,
    compare: Annotated[
        Path | None, Option("--compare", metavar="FILE", help="Exit 1 only if worse than this --json record.")
    ] = None,
    html: Html = None,
    junit: Junit = None,
    json_file: Json = None,
) -> None:
    """Measure which symmetries a model has.

    The code runs with your full permissions: audit only code you trust. Each symmetry is exact, holds, broken, undecided or not
    measured. Exit code 1: a symmetry is broken; 2: something that was named is not there; 4: a model or file is there, but cannot
    be read, loaded or run; 5: a check was not measured.
    """
    from dataclasses import replace

    from erlangen.auditing.checks import check_names
    from erlangen.auditing.launch import launch
    from erlangen.auditing.request import AuditRequest
    from erlangen.auditing.spelling import on_command_line
    from erlangen.auditing.targets import parse_assignments

    outputs = Outputs({"--html": html, "--junitxml": junit, "--json": json_file})
    check_read(outputs, {"MODEL": model.partition(":")[0], "--input": source, "--expect": expect, "--compare": compare})
    outputs.remove_old()
    try:
        with on_command_line():
            request = AuditRequest(
                target=model, input=source, n=number, build=parse_assignments("--build", build or ()),
                symmetries=tuple(symmetries) if symmetries else None, skip=tuple(skip or ()), domain=domain, layout=layout,
                preprocess=preprocess, arguments=parse_assignments("--argument", arguments or ()),
                state={name: str(value) for name, value in parse_assignments("--state", state or ()).items()}, select=select,
                output=output, permuted_classes=parse_assignments("--permuted-classes", permuted or ()) or None,
                vocabulary=vocabulary, threshold=threshold, elements=elements, batch_size=batch_size, seed=seed,
                only_exact=only_exact, baseline=baseline,
            )  # fmt: skip
        request.check_files()
        check_names([name for name in (*(symmetries or ()), *(skip or ())) if ":" not in name], domain)
        expectations = read_expected(expect, compare)
        if expectations is not None and domain is not None:
            expectations.check_domain(domain)
        if expectations is not None and not any(":" in name for name in symmetries or ()):  # else they may name the user's own
            check_names(expectations.judgments, domain, f"{expectations.source}: ")
        say(f"auditing {model} in a separate process. The code runs with your full permissions: audit only code you trust.")
        record = launch(request, timeout)
    except Stopped as stopped:
        say(f"erlangen: {stopped}: the audit of {model} was not finished; none of its files was written")
        raise
    except ErlangenError as error:
        write_fault(outputs, model, error)
        raise
    raise SystemExit(deliver(outputs, replace(record, command=shlex.join(["erlangen", *sys.argv[1:]])), expectations, strict))


def read_expected(expect: Path | None, compare: Path | None) -> Expectations | None:
    """What the audit is expected to find. Raises ErlangenError if both options are given, or the file cannot be read."""
    if expect is None and compare is None:
        return None
    from erlangen.records.expectations import read_expectations, recorded_expectations

    if expect is not None and compare is not None:
        raise ErlangenError("--expect and --compare both say what is expected: give one of them")
    return read_expectations(expect) if expect is not None else recorded_expectations(Path(str(compare)))


def deliver(outputs: Outputs, record: AuditRecord, expectations: Expectations | None, strict: bool) -> int:
    """Write and print the audit. Returns the exit code."""
    from erlangen.records.files import to_json
    from erlangen.report.audit_junit import audit_junit
    from erlangen.report.audit_text import audit_text

    if expectations:
        expectations.check_domain(record.domain)
    judged = expectations.applied(record) if expectations else record

    def page() -> str:
        from erlangen.report.audit_page import audit_html

        return audit_html(judged)

    def text() -> None:
        print(audit_text(judged))
        for line in (*expectations.summary(record), *absent(expectations, record)) if expectations else ():
            print(line)

    contents: dict[str, Callable[[], str]] = {
        "--html": page,
        "--junitxml": lambda: audit_junit(judged, strict, expectations.missing(record) if expectations else ()),
        "--json": lambda: as_json(to_json(record)),
    }
    code = outputs.deliver(contents, text)
    judgment = expectations.exit_code(record, strict) if expectations else record.exit_code(strict)
    say(f"exit code {judgment}: {closing(judged, judgment, absent(expectations, record) if expectations else [])}")
    return code or judgment


def absent(expectations: Expectations, record: AuditRecord) -> list[str]:
    """A line for each expected check that was not run: `e.toml expects causality, which is not a check of images`."""
    from erlangen.auditing.checks import names_of

    def why(name: str) -> str:
        elsewhere = name in names_of(None) and name not in names_of(record.domain)
        return f"is not a check of {record.domain}" if elsewhere else "was not run"

    return [f"{expectations.source} expects {name}, which {why(name)}" for name in expectations.missing(record)]


def closing(record: AuditRecord, code: int, unrun: Sequence[str]) -> str:
    """Why the audit has this exit code. unrun: a clause for each expected check that was not run."""
    from erlangen.report.audit_text import tally_judgments

    if code == 0:
        return f"{tally_judgments(record)}."
    wanted = ("broken", "undecided") if code == BREACHED else ("not measured",)
    clauses = [f"{c.name} is {c.judgment}" for c in record.checks if not c.informational and c.judgment in wanted]
    if not clauses and not unrun:
        return "no check counts: all are informational."
    return "; ".join([*clauses, *(unrun if code == NOT_MEASURED else ())])


def check_read(outputs: Outputs, read: Mapping[str, str | Path | None]) -> None:
    """Raises ErlangenError if a result would replace a file that the audit reads. read: what names it -> the file."""
    for option, path in outputs.files().items():
        for name, other in read.items():
            if other is not None and path.resolve() == Path(other).resolve():
                raise ErlangenError(f"{option} {path} would replace the file that {name} names: name another file")


def write_fault(outputs: Outputs, model: str, error: ErlangenError) -> None:
    """The fault in every file that was asked for, in place of what an earlier run left there. stdout stays empty."""
    from erlangen.records.files import write_atomically
    from erlangen.report.audit_fault import fault_data, fault_html, fault_junit

    fault = str(error)
    contents: dict[str, Callable[[], str]] = {
        "--html": lambda: fault_html(model, fault),
        "--junitxml": lambda: fault_junit(model, fault),
        "--json": lambda: as_json(fault_data(model, fault, error.exit_code)),
    }
    for option, path in outputs.files().items():
        with suppress(ErlangenError):  # the fault itself is what the command reports
            write_atomically(path, contents[option]())
