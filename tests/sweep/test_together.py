"""Jobs that differ in their seeds alone, given to one worker at a time: on a GPU, and only where the experiment can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from erlangen.errors import ErlangenError
from erlangen.experiments import load
from erlangen.records.runs import Job
from erlangen.sweep.local import Done, Failed, execute, together

INIT = """
from erlangen.records.runs import Job
TITLE, QUESTION, CLAIMS, PRESETS, MEMORY_MB, SEEDS_AT_ONCE = "", "", (), {}, 100, 3

def jobs(recipe):
    return []
"""
RUN = """
import os
import signal
from erlangen.errors import ErlangenError
from erlangen.records.runs import Measurement

def run(job):
    return [Measurement("seed", job.seed), Measurement("at_once", 1)]

def run_many(jobs):
    what = jobs[0].params["what"]
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raise":
        raise ZeroDivisionError("of all")
    found = [[Measurement("seed", job.seed), Measurement("at_once", len(jobs))] for job in jobs]
    return [ErlangenError("seed 1 diverged") if what == "fail" and job.seed == 1 else one for job, one in zip(jobs, found)]
"""


@pytest.fixture(autouse=True)
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment `several`, for this process and its workers."""
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / "__init__.py").write_text(INIT)
    (tmp_path / "several" / "run.py").write_text(RUN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))


def jobs(what: str = "add", seeds: int = 5, device: str = "cuda") -> list[Job]:
    return [Job(experiment="several", params={"what": what}, seed=seed, device=device, portable=True) for seed in range(seeds)]


def run(asked: list[Job]) -> tuple[dict[int, float], dict[int, str]]:
    """How many were computed at once, and the reasons of those that failed, by seed."""
    outcomes = list(execute(asked, 1))
    assert {id(outcome.job) for outcome in outcomes} == {id(job) for job in asked}
    for outcome in outcomes:
        assert isinstance(outcome, Failed) or outcome.measurements[0].value == outcome.job.seed
    done = {outcome.job.seed: outcome.measurements[1].value for outcome in outcomes if isinstance(outcome, Done)}
    return done, {outcome.job.seed: outcome.reason for outcome in outcomes if isinstance(outcome, Failed)}  # type: ignore[return-value]


def seeds(bundles: list[tuple[Job, ...]]) -> list[list[int]]:
    return [[job.seed for job in bundle] for bundle in bundles]


def test_seeds_of_the_same_parameters_go_together_up_to_the_most():
    mixed = [job for pair in zip(jobs("add"), jobs("other"), strict=True) for job in pair]
    assert seeds(together(mixed)) == [[0, 1, 2], [3, 4], [0, 1, 2], [3, 4]]
    assert all(len({job.params["what"] for job in bundle}) == 1 for bundle in together(mixed))
    tf32 = [replace(job, precision="tf32") for job in jobs(seeds=2)]
    assert seeds(together(jobs(seeds=2) + tf32)) == [[0, 1], [0, 1]]


def test_on_a_processor_every_job_is_alone_and_in_order():
    assert seeds(together(jobs(device="cpu"))) == [[0], [1], [2], [3], [4]]


def test_an_experiment_that_does_not_offer_it_is_computed_one_by_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(load("several"), "SEEDS_AT_ONCE")
    assert seeds(together(jobs())) == [[0], [1], [2], [3], [4]]


def test_each_job_has_its_own_outcome():
    assert run(jobs()) == ({0: 3, 1: 3, 2: 3, 3: 2, 4: 2}, {})


def test_the_error_of_one_takes_no_other_with_it():
    assert run(jobs("fail")) == ({0: 3, 2: 3, 3: 2, 4: 2}, {1: "seed 1 diverged"})


def test_an_exception_of_all_is_the_reason_of_each():
    assert run(jobs("raise", seeds=2)) == ({}, dict.fromkeys(range(2), "ZeroDivisionError: of all"))


def test_jobs_whose_worker_died_are_computed_one_by_one():
    assert run(jobs("die", seeds=3)) == ({0: 1, 1: 1, 2: 1}, {})


def test_padding_offers_it():
    assert load("padding").SEEDS_AT_ONCE >= 10  # type: ignore[attr-defined]
    with pytest.raises(ErlangenError, match="no experiment"):
        together([replace(jobs()[0], experiment="severely")])
