"""What a command prints beside its results: progress, warnings, the time left; and what ends it early."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

from erlangen.cli.time_left import TimeLeft
from erlangen.errors import ErlangenError, UserCodeError
from erlangen.experiments.modules import is_installed
from erlangen.records.runs import Job

LINE_EVERY = 30.0  # seconds, where there is no terminal
SLOW = 1.5  # times the estimate
PACKAGE = str(Path(__file__).parents[1]) + os.sep


def abandon_stdout() -> None:
    """Nobody reads it, or it is full: what is left in its buffer must not raise again, now or when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """Print progress, a warning or an error: stdout has the results alone. That nobody reads them stops nothing."""
    with contextlib.suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)


def report_error(error: ErlangenError, where: str = "") -> int:
    """Print an error as one line, that of a user's own experiment below its traceback; returns the exit code."""
    if isinstance(error, UserCodeError) and error.__cause__ is not None:
        say(users_traceback(error.__cause__))
    say(f"erlangen: {where}{error}")
    return error.exit_code


def users_traceback(error: BaseException) -> str:
    """The traceback of an error and of those behind it, without the lines of this package, of Python and of installed packages.

    One that has no line of the user's is not shown, unless it is all there is; a syntax error names its place by itself.
    """
    shown = traceback.TracebackException.from_exception(error)
    waiting = [shown]
    while waiting:
        part = waiting.pop()
        part.stack = traceback.StackSummary.from_list([frame for frame in part.stack if is_users(frame.filename)])
        waiting += [behind for behind in (part.__cause__, part.__context__) if behind is not None]
    text = "".join(shown.format()).rstrip()
    return text if shown.stack else text.replace("Traceback (most recent call last):\n", "", 1)


def is_users(file: str) -> bool:
    """Whether a line of code is the user's: neither ours nor Python's nor an installed package's."""
    return not file.startswith(("<frozen", PACKAGE)) and not is_installed(Path(file))


class Stopped(BaseException):
    """A signal asked us to stop. Not KeyboardInterrupt, which the parser would turn into an exit code of its own."""

    def __init__(self, signum: int) -> None:
        super().__init__("interrupted" if signum == signal.SIGINT else "terminated")
        self.exit_code = 128 + signum


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

    Says once that the machine is slower than the estimates assume, as soon as the first jobs show it.
    """

    def __init__(self, jobs: Collection[Job], workers: int) -> None:
        self.total, self.done, self.workers = len(jobs), 0, workers
        self.start = self.last = time.monotonic()
        self.left = TimeLeft(jobs, workers, self.start)
        self.corrected = False
        self.bar = None
        if sys.stderr.isatty() and jobs:
            from rich.console import Console
            from rich.progress import BarColumn, Progress as Bar, ProgressColumn, Task, TextColumn, TimeElapsedColumn
            from rich.text import Text

            class Remaining(ProgressColumn):
                """Our own estimate, ticking: the library's would count jobs as if all took the same."""

                def render(column, task: Task) -> Text:  # noqa: N805
                    return Text(self.remaining())

            columns = (TextColumn("{task.completed:.0f}/{task.total:.0f} jobs"), BarColumn(), TimeElapsedColumn(), Remaining())
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
        self.left.end(job, now)
        if self.is_slow():
            self.corrected, self.last = True, now
            say(
                f"{self.done}/{self.total} jobs took {self.left.slowdown:.1f} times as long as on an idle machine; "
                f"{self.remaining()}"
            )
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done)
        elif now - self.last > LINE_EVERY or self.done == self.total:
            self.last = now
            say(f"{self.done}/{self.total} jobs, {self.remaining()}")

    def is_slow(self) -> bool:
        """Whether the first estimate has to be taken back: by then workers have ended more than a first job, and much is left."""
        now = time.monotonic()
        seen = self.done > self.workers and now - self.start > LINE_EVERY
        return seen and not self.corrected and self.left.slowdown > SLOW and self.left.seconds(now) > LINE_EVERY

    def remaining(self) -> str:
        """'about 12:30 left'"""
        seconds = int(self.left.seconds(time.monotonic()))
        return f"about {seconds // 60}:{seconds % 60:02d} left"
