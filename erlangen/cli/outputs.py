"""Where results go: the options --json, --html, --junitxml and --csv, handled once for all commands.

Files are checked before the work starts and written before anything is printed, so that no fault of stdout loses them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from erlangen.cli.terminal import abandon_stdout, say
from erlangen.errors import USAGE, ErlangenError

STDOUT = "-"

Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write results as JSON; - prints them.")]
Csv = Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write a row per verdict as CSV; - prints them.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained HTML page.")]
Junit = Annotated[Path | None, typer.Option("--junitxml", metavar="FILE", help="Write JUnit XML, for CI.")]


@dataclass(frozen=True)
class Outputs:
    """What a command was asked to write: option -> the file that it names, `-` for stdout, None where it was left out.

    Raises ErlangenError for files that cannot be written, as soon as it is made: better than after the work.
    """

    targets: Mapping[str, str | Path | None]

    def __post_init__(self) -> None:
        for path in self.files().values():
            foresee_file(path, list(self.files().values()))
        if len(self.to_stdout()) > 1:
            raise ErlangenError(f"{' and '.join(self.to_stdout())} both print to stdout: write one of them to a file")

    def files(self) -> dict[str, Path]:
        """Option -> file."""
        return {option: Path(target) for option, target in self.targets.items() if target is not None and target != STDOUT}

    def to_stdout(self) -> list[str]:
        """The options that print, in place of the text for people."""
        return [option for option, target in self.targets.items() if target == STDOUT]

    def remove_old(self) -> None:
        """Remove what an earlier run left in these files: however this run ends, nothing of it is taken for this run's result."""
        for path in self.files().values():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise ErlangenError(f"cannot remove the old {path}: {error.strerror}; name another file") from None

    def deliver(self, contents: Mapping[str, Callable[[], str]], print_text: Callable[[], None]) -> int:
        """Write every file that was asked for; then print what `-` asks for, or else the text for people. Returns the exit code.

        contents: option -> what makes its content.
        """
        unwritten = self.write(contents)
        self.print(contents, print_text)
        if "--html" in self.files().keys() - unwritten and not self.to_stdout():
            print(f"\nPage: {self.files()['--html']}")
        return USAGE if unwritten else 0

    def write(self, contents: Mapping[str, Callable[[], str]]) -> set[str]:
        """Write the files. One that cannot be written costs a line, and nothing of the rest. Returns the options that failed."""
        from erlangen.records.files import write_atomically

        failed = set()
        for option, path in self.files().items():
            try:
                write_atomically(path, contents[option]())
            except ErlangenError as error:
                say(f"erlangen: {error} (the results are printed all the same)")
                failed.add(option)
        return failed

    def print(self, contents: Mapping[str, Callable[[], str]], print_text: Callable[[], None]) -> None:
        """Print what `-` asks for, or else the text for people.

        A reader that leaves early (`| head`) changes nothing of what was measured, so it does not change the exit code either.
        """
        try:
            for option in self.to_stdout():
                print(contents[option](), end="", flush=True)
            if not self.to_stdout():
                print_text()
            sys.stdout.flush()
        except BrokenPipeError:
            abandon_stdout()


def as_json(data: object) -> str:
    """Data as indented JSON; in ASCII escapes, which say the same, where stdout cannot encode it."""
    text = json.dumps(data, indent=1, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(data, indent=1, ensure_ascii=True)
    return text + "\n"


def emit(data: object, target: str | None) -> None:
    """Write JSON to the file that --json names, or print it. Raises ErlangenError where the file cannot be written."""
    from erlangen.records.files import write_atomically

    if target == STDOUT:
        print(as_json(data), end="")
    elif target is not None:
        write_atomically(Path(target), as_json(data))


def foresee_file(path: Path, files: Sequence[Path]) -> None:
    """Raises ErlangenError for a file that cannot be written, or that stands twice among the `files` to write."""
    above = next(folder for folder in (path.absolute().parent, *path.absolute().parents) if os.path.exists(folder))
    if os.path.isdir(path):
        raise ErlangenError(f"cannot write {path}: it is a folder; name a file")
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe, which a new file would replace
        raise ErlangenError(f"cannot write {path}: it is not a regular file; - prints JSON to stdout")
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ErlangenError(f"cannot write {path}: {above} is not a writable directory")
    try:  # permissions do not tell all: a name may be too long, and a file system may refuse
        with tempfile.NamedTemporaryFile(dir=above, prefix=f".{path.name}.", suffix=".tmp"):
            pass
    except OSError as error:
        raise ErlangenError(f"cannot write {path}: {error.strerror}; name another file") from None
    if list(files).count(path) > 1:
        raise ErlangenError(f"{path} is named twice, and one output would replace the other: name two files")
