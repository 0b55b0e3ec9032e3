"""What `erlangen run` prints of the experiments that it ran, and the exit code that they come to."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from erlangen.cli.exit_codes import exit_code
from erlangen.cli.terminal import report_error, say
from erlangen.cli.verdict_text import print_claims, unmeasured
from erlangen.errors import INTERNAL, ErlangenError

if TYPE_CHECKING:
    from erlangen.records.runs import Claim
    from erlangen.sweep.load import LoadedRun

LONGEST = 60  # characters of a claim's answers and of an error in the table


def claims_named(names: Sequence[str], claims: Sequence[Claim]) -> list[str]:
    """The claims of an experiment that were asked for by their ids."""
    return [claim.id for claim in claims if claim.id.upper() in (name.upper() for name in names)]


def code_of(name: str, result: LoadedRun | Exception, names: Sequence[str], strict: bool) -> int:
    """The exit code of one of several experiments; an error is printed."""
    if not isinstance(result, Exception):
        absent = unmeasured(claims_named(names, result.run.claims), result.verdicts, result.answers)
        return exit_code(result.verdicts, bool(result.failed), strict, absent)
    if isinstance(result, ErlangenError):
        return report_error(result, f"{name}: ")
    say("".join(traceback.format_exception(result)).rstrip())
    say(f"erlangen: {name}: internal error (please report it): {type(result).__name__}: {result}")
    return INTERNAL


def print_results(results: Mapping[str, LoadedRun | Exception], names: Sequence[str]) -> None:
    """The claims of each run and the path of its report; of several runs a table, too."""
    for result in results.values():
        if not isinstance(result, Exception):
            print_claims(result.answers, result.verdicts, claims_named(names, result.run.claims))
            print(f"\nReport: {result.folder / 'report.html'}", flush=True)
    if len(results) > 1:
        print_summary(results)


def say_absent(name: str, result: LoadedRun, names: Sequence[str]) -> None:
    """On stderr: the claims that were asked for and not measured."""
    if absent := unmeasured(claims_named(names, result.run.claims), result.verdicts, result.answers):
        say(f"{name}: this run did not measure {', '.join(absent)}")


def print_summary(results: Mapping[str, LoadedRun | Exception]) -> None:
    """A table of all experiments: answers, jobs, report."""
    rows = [("experiment", "answers", "jobs", "report"), *(row_of(name, result) for name, result in results.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print()
    for *cells, report in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), report]).rstrip())


def row_of(name: str, result: LoadedRun | Exception) -> tuple[str, str, str, str]:
    """An experiment's row."""
    if isinstance(result, Exception):
        text = textwrap.shorten(str(result) or type(result).__name__, LONGEST - len("error: "), placeholder=" ...")
        return name, f"error: {text}", "", ""
    answers = ", ".join(f"{answer.claim} {answer.answer}" for answer in result.answers) or "none"
    failed = f", {len(result.failed)} failed" if result.failed else ""
    return name, answers, f"{len(result.results)} of {len(result.run.jobs)}{failed}", str(result.folder / "report.html")
