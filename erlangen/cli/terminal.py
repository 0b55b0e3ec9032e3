"""What people see in a terminal: results on stdout, progress and faults on stderr; and what ends a command early."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType

from erlangen.errors import ErlangenError
from erlangen.records.runs import Job, Verdict

LINE_EVERY = 30.0  # seconds, where there is no terminal


def say(line: str) -> None:
    """Progress, warnings and faults: stdout holds results alone."""
    print(line, file=sys.stderr, flush=True)


def emit(data: object, target: str | None) -> None:
    """Write JSON where --json asks for it."""
    if target is None:
        return
    text = json.dumps(data, indent=1, ensure_ascii=False)
    if target == "-":
        print(text)
        return
    from erlangen.records.files import write_atomically

    write_atomically(Path(target), text + "\n")


def foresee_file(path: Path, files: Sequence[Path]) -> None:
    """Raises ErlangenError for a file that cannot be written: better now than after the audit."""
    above = next(folder for folder in (path.absolute().parent, *path.absolute().parents) if folder.exists())
    if path.is_dir():
        raise ErlangenError(f"cannot write {path}: it is a folder; name a file")
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ErlangenError(f"cannot write {path}: {above} is no folder that may be written to; name another")
    if files.count(path) > 1:
        raise ErlangenError(f"{path} is named for two of --html, --json and --junitxml: each would replace the other")


class Stopped(BaseException):
    """A signal asked us to stop. Not KeyboardInterrupt, which the parser would turn into an exit code of its own."""

    def __init__(self, signum: int) -> None:
        super().__init__("interrupted" if signum == signal.SIGINT else "terminated")
        self.exit_code = 128 + signum


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """A line a verdict, in columns; what corrects it or comes next below."""
    claims = max((len(verdict.claim) for verdict in verdicts), default=0)
    parts = max((len(verdict.part) for verdict in verdicts), default=0)
    indent = " " * (claims + parts + 4)
    for verdict in verdicts:
        measured = ""
        if verdict.effect is not None:
            ends = verdict.interval or (None, None)
            interval = "" if None in ends else " [{:.4g}, {:.4g}]".format(*ends)
            measured = f"{verdict.effect:.4g}{interval} {verdict.unit} (n = {verdict.n})"
        print(f"{verdict.claim:<{claims}}  {verdict.part:<{parts}}  {verdict.verdict:<12}  {measured}".rstrip())
        for line in (verdict.corrected, verdict.next_step):
            if line:
                print(textwrap.fill(line, 80 + len(indent), initial_indent=indent, subsequent_indent=indent))


class Tally:
    """So many of a total, with pace and time left: over itself on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.unit, self.made = total, unit, 0
        self.start = self.said = time.monotonic()

    def add(self, n: int) -> None:
        """n more are made."""
        self.made += n
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if now - self.said < (0.5 if terminal else LINE_EVERY):
            return
        self.said = now
        pace = self.made / (now - self.start)
        left = int((self.total - self.made) / pace)
        line = f"{self.made}/{self.total} {self.unit}, {pace:.0f} a second, about {left // 60}:{left % 60:02d} left"
        print(f"\r{line:<60}\r" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)

    def summary(self) -> str:
        """'500 tokens in 1.2 s, 417 a second'"""
        seconds = time.monotonic() - self.start
        return f"{self.made} {self.unit} in {seconds:.1f} s, {self.made / max(seconds, 1e-9):.0f} a second"


class Progress:
    """The time left, as a bar on a terminal and as a line now and then elsewhere.

    Counts jobs by their expected seconds, and corrects the expectation by the time they really took.
    """

    def __init__(self, jobs: Collection[Job], workers: int) -> None:
        self.total, self.done, self.workers = len(jobs), 0, workers
        self.expected = self.left = sum(job.seconds for job in jobs)
        self.start = self.last = time.monotonic()
        self.end = self.start + self.left / workers
        self.bar = None
        if sys.stderr.isatty() and jobs:
            from rich.console import Console
            from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar
            from rich.text import Text

            class TimeLeft(ProgressColumn):
                """Our own estimate, ticking: the library's would count jobs as if all took the same."""

                def render(column, task: Task) -> Text:  # noqa: N805
                    return Text(self.remaining())

            columns = (TextColumn("{task.completed:.0f}/{task.total:.0f} jobs"), BarColumn(), TimeElapsedColumn(), TimeLeft())
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task("", total=self.total)

    def __enter__(self) -> Progress:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def advance(self, job: Job) -> None:
        """One job ended."""
        now = time.monotonic()
        self.done += 1
        self.left -= job.seconds
        finished = self.expected - self.left
        self.end = now + ((now - self.start) / finished * self.left if finished > 0 else self.left / self.workers)
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done)
        elif now - self.last > LINE_EVERY or self.done == self.total:
            self.last = now
            say(f"{self.done}/{self.total} jobs, {self.remaining()}")

    def remaining(self) -> str:
        """'about 12:30 left'"""
        seconds = max(int(self.end - time.monotonic()), 0)
        return f"about {seconds // 60}:{seconds % 60:02d} left"
