"""Progress of a run on stderr: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection
from types import TracebackType

from erlangen.results import Job

LINE_EVERY = 30.0  # seconds, where there is no terminal


class Progress:
    """Counts jobs by their expected seconds, and corrects the expectation by the time they really took."""

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
            print(f"{self.done}/{self.total} jobs, {self.remaining()}", file=sys.stderr, flush=True)

    def remaining(self) -> str:
        """'about 12:30 left': expected seconds of what is left, at the pace of what is done."""
        seconds = self.left / self.workers
        finished = self.expected - self.left
        if finished > 0:
            seconds = (time.monotonic() - self.start) / finished * self.left
        return f"about {int(seconds) // 60}:{int(seconds) % 60:02d} left"
