"""The best learning rate of an arm: chosen by validation, guarded at the ends of the grid and against jobs that failed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.kit.tuning import tuned, tuning_check
from erlangen.records.runs import Job, JobResult, Measurement

RATES = (0.001, 0.01, 0.1)


@dataclass(frozen=True, kw_only=True)
class Fit:
    arm: str
    lr: float


def result(record: Job, loss: float, test: float = 0.0) -> JobResult:
    measured = (Measurement("validation_loss", loss), Measurement("test_loss", test))
    return JobResult(
        experiment="toy",
        key=record.label(),
        params=record.params,
        seed=record.seed,
        precision="float32",
        device="cpu",
        measurements=measured,
    )


def evidence(losses: dict[float, tuple[float, ...]], missing: tuple[Job, ...] = ()) -> Evidence:
    """One arm's validation losses over seeds at each rate; the test loss is 100 times the rate."""
    made = [
        result(job(Fit(arm="wide", lr=rate), seed=seed), loss, 100 * rate)
        for rate, values in losses.items()
        for seed, loss in enumerate(values)
    ]
    return Evidence(tuple(made), missing)


def test_the_rate_with_the_least_mean_validation_loss_is_taken_with_its_own_test_losses():
    best = tuned(evidence({0.1: (1.0, 2.9), 0.001: (3.0, 3.0), 0.01: (2.0, 1.5)}), Fit, arm="wide")
    assert best.rates == RATES
    assert best.rate == 0.01
    assert best.loss == (3.0, 1.75, 1.95)
    assert best.arm.name == "wide"
    assert best.arm.values("test_loss") == {0: 1.0, 1: 1.0}
    assert tuning_check(best).passed


def test_one_seed_that_diverges_rules_a_rate_out():
    best = tuned(evidence({0.001: (2.0, 2.0), 0.01: (2.5, 2.5), 0.1: (0.1, math.nan)}), Fit, arm="wide")
    assert best.rate == 0.001
    assert best.loss[-1] == math.inf


@pytest.mark.parametrize("rate", [0.001, 0.1])
def test_a_best_rate_at_an_end_of_the_grid_fails_the_check_and_is_named(rate: float):
    losses = {tried: (1.0 if tried == rate else 2.0,) * 2 for tried in RATES}
    check = tuning_check(tuned(evidence(losses), Fit, arm="wide"))
    assert check.passed is False
    assert f"wide at {rate:g}" in check.name


def test_a_job_that_failed_at_any_rate_is_missing_from_the_arm():
    failed = job(Fit(arm="wide", lr=0.1), seed=1)
    best = tuned(evidence({0.001: (2.0, 2.0), 0.01: (1.0, 1.0), 0.1: (3.0,)}, (failed,)), Fit, arm="wide")
    assert best.rate == 0.01
    assert best.arm.missing == (failed.label(),)


def test_an_arm_without_any_job_is_empty_and_not_tuned():
    best = tuned(evidence({}), Fit, arm="wide")
    assert not best.arm.results
    assert tuning_check(best).passed is False
