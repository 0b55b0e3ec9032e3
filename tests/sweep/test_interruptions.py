"""Kills, resumes, other numbers of workers and added seeds, in any order: the folder ends as one uninterrupted run leaves it."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from support.executors import Here
from support.killed import attempt

import erlangen
from erlangen.sweep.store import read_result

TOY = "support.toy"
CHANCE = ("command", "workers", "machine", "versions", "date")  # of run.json: what depends on where and when, not on what


@cache
def uninterrupted(seeds: int) -> dict[str, Any]:
    """What one run leaves."""
    with tempfile.TemporaryDirectory() as folder:
        erlangen.run(TOY, seeds=seeds, out=folder, executor=Here())
        return files_of(Path(folder))


def files_of(folder: Path) -> dict[str, Any]:
    """Every file of a finished run but the page, whose numbers are those of figures.json."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name == "report.html":
            found[name] = "a page"
        elif path.suffix == ".json":
            data = json.loads(path.read_text())
            dropped = CHANCE if name == "run.json" else ("seconds", "machine", "checksum")
            found[name] = {key: data[key] for key in data if key not in dropped} if isinstance(data, dict) else data
        elif path.is_file() and not path.name.endswith(".tmp"):  # a kill's leftovers, removed after an hour
            found[name] = path.read_text()
    return found


kills = st.none() | st.tuples(st.integers(1, 9), st.booleans())
attempts = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), kills), min_size=1, max_size=4)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@settings(max_examples=6)
@given(attempts)
@example([(1, 2, (1, False)), (0, 1, (2, True)), (2, 3, (5, False))])
@example([(0, 1, None), (1, 3, (1, True)), (0, 2, (3, False))])
def test_any_interleaving_ends_in_the_same_files(steps: list[tuple[int, int, tuple[int, bool] | None]]) -> None:
    seeds = 1
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        for more, workers, kill in steps:
            seeds += more
            status = attempt(TOY, folder, seeds, workers, kill)
            assert status in (0, -signal.SIGKILL), "killed, or done before the kill was due"
            for path in folder.glob("jobs/*.json"):
                read_result(path, path.stem)  # whole at any time
            if (folder / "verdicts.json").exists():
                known = len(json.loads((folder / "run.json").read_text())["jobs"])
                assert json.loads((folder / "verdicts.json").read_text()) == uninterrupted(known)["verdicts.json"], "never stale"
        assert attempt(TOY, folder, seeds, workers, None) == 0
        assert files_of(folder) == uninterrupted(seeds)
