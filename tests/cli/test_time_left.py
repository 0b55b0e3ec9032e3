"""The time left: the estimates of the jobs at first, and what the machine really needs as soon as jobs have ended."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from erlangen.cli import terminal
from erlangen.cli.terminal import Progress
from erlangen.cli.time_left import STARTUP, TimeLeft
from erlangen.records.runs import Job


def jobs(seconds: Sequence[float], exclusive: bool = False) -> list[Job]:
    return [Job(params={"task": "t"}, seed=seed, seconds=each, exclusive=exclusive) for seed, each in enumerate(seconds)]


def simulated(planned: Sequence[Job], workers: int, slowdown: float) -> list[tuple[float, float]]:
    """A run on a machine about `slowdown` times as slow as the estimates: (time, time left) when each job ends."""
    left, rng = TimeLeft(planned, workers, 0.0), np.random.default_rng(0)
    free, ends = [0.0] * workers, []
    for job in sorted(planned, key=lambda job: job.exclusive):
        worker = free.index(min(free))
        if job.exclusive:
            free = [max(free)] * workers
        started = STARTUP if free[worker] == 0 else 0.0
        free[worker] += slowdown * (job.seconds * rng.uniform(0.8, 1.2) + started)
        ends.append((free[worker], job))
        if job.exclusive:
            free = [free[worker]] * workers
    said = []
    for now, job in sorted(ends, key=lambda entry: entry[0]):
        left.end(job, now)
        said.append((now, left.seconds(now)))
    return said


@pytest.mark.parametrize("slowdown", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("seconds", [[10.0] * 40, [60.0] * 8 + [2.0] * 40])
def test_it_adapts_to_the_machine_after_the_first_jobs(seconds: list[float], workers: int, slowdown: float):
    """Within a fifth, as far as the jobs themselves scatter, from the first job of every worker on."""
    said = simulated(jobs(seconds) + jobs([5.0] * 10, exclusive=True), workers, slowdown)
    total = said[-1][0]
    for now, left in said[workers - 1 : -1]:
        assert left == pytest.approx(total - now, rel=0.2, abs=0.02 * total)
    assert said[-1][1] == 0


def test_before_the_first_job_ends_the_estimate_runs_down():
    left = TimeLeft(jobs([10.0] * 4), 2, start=100.0)
    assert left.seconds(100.0) == 20
    assert left.seconds(105.0) == 15
    assert left.seconds(200.0) == 10, "two jobs have not even started"


def test_the_start_of_a_worker_is_no_slow_machine():
    planned = jobs([1.0] * 10)
    left = TimeLeft(planned, 2, 0.0)
    for job in planned[:2]:
        left.end(job, 3.0)
    assert left.seconds(3.0) == pytest.approx(4)


def test_a_busy_machine_is_said_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    planned = jobs([10.0] * 20)
    with Progress(planned, 2) as progress:
        for job in planned:
            clock[0] += 15.0  # two at a time, three times as slow
            progress.advance(job)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "idle machine" in line] == [lines[0]]
    assert re.match(r"3/20 jobs took 2\.\d times as long as on an idle machine; about \d+:\d\d left", lines[0])
    assert lines[-1] == "20/20 jobs, about 0:00 left"


def test_an_idle_machine_takes_nothing_back(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    planned = jobs([10.0] * 20)
    with Progress(planned, 2) as progress:
        for job in planned:
            clock[0] += 5.5
            progress.advance(job)
    assert "idle" not in capsys.readouterr().err
