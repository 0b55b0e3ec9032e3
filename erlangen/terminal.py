"""What people see in a terminal: results on stdout, progress and faults on stderr."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Collection, Sequence
from types import TracebackType

from erlangen.results import Job, Verdict

LINE_EVERY = 30.0  # seconds, where there is no terminal


def say(line: str) -> None:
    """Progress, warnings and faults: stdout holds results alone."""
    print(line, file=sys.stderr, flush=True)


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """A line a verdict; what corrects it or comes next below."""
    for verdict in verdicts:
        measured = ""
        if verdict.effect is not None:
            ends = verdict.interval or (None, None)
            interval = "" if None in ends else " [{:.4g}, {:.4g}]".format(*ends)
            measured = f"{verdict.effect:.4g}{interval} {verdict.unit} (n = {verdict.n})"
        print(f"{verdict.claim:<4}{verdict.part:<16} {verdict.verdict:<13} {measured}".rstrip())
        for line in (verdict.corrected, verdict.next_step):
            if line:
                print(textwrap.fill(line, 100, initial_indent=" " * 21, subsequent_indent=" " * 21))


class Progress:
    """The time left, as a bar on a terminal and as a line now and then elsewhere.

    Counts jobs by their expected seconds, and corrects the expectation by the time they really took.
    """

    def __init__(self, jobs: Collection[Job], workers: int) -> None:
        self.total, self.left = len(jobs), sum(job.seconds for job in jobs)
        self.expected, self.workers, self.done = self.left, workers, 0
        self.start = self.last = time.monotonic()
        self.bar = None
        if sys.stderr.isatty() and jobs:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn("{task.completed:.0f}/{task.total:.0f}"), BarColumn(), TimeElapsedColumn(),
                TextColumn("{task.fields[remaining]}"), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self.task = self.bar.add_task("", total=self.total, remaining=self.remaining())

    def __enter__(self) -> Progress:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def advance(self, job: Job) -> None:
        """One job ended."""
        self.done += 1
        self.left -= job.seconds
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done, remaining=self.remaining())
        elif time.monotonic() - self.last > LINE_EVERY or self.done == self.total:
            self.last = time.monotonic()
            say(f"{self.done}/{self.total} jobs, {self.remaining()}")

    def remaining(self) -> str:
        """'about 12:30 left': expected seconds of what is left, at the pace of what is done."""
        seconds = self.left / self.workers
        finished = self.expected - self.left
        if finished > 0:
            seconds = (time.monotonic() - self.start) / finished * self.left
        return f"about {int(seconds) // 60}:{int(seconds) % 60:02d} left"
