"""Counts over jobs, and the wording of parts: what is absent or not finite is never 0."""

from __future__ import annotations

import math

import pytest

from erlangen.experiments.kit.counts import numbers, sums, total
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import Claim, JobResult, Measurement


def results(*values: float | tuple[float, ...] | None) -> list[JobResult]:
    """One result for each value of the measurement `m`; None leaves it out."""
    return [
        JobResult(
            key=str(seed), experiment="x", params={}, seed=seed, precision="float32", device="cpu",
            measurements=() if value is None else (Measurement("m", value),),
        )
        for seed, value in enumerate(values)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "all_numbers", "by_entry"),
    [
        ((2.0, 3.0), (2.0, 3.0), (5.0,)),
        (((1.0, 2.0), (3.0, 4.0)), (1.0, 2.0, 3.0, 4.0), (4.0, 6.0)),
        (((1.0, math.nan), (3.0, 4.0)), (), ()),
        ((2.0, None), (), ()),
        ((math.inf,), (), ()),
        ((), (), ()),
    ],
)
def test_numbers_sums_and_totals(values: tuple[float | None, ...], all_numbers: tuple[float, ...], by_entry: tuple[float, ...]):
    found = results(*values)
    assert numbers(found, "m") == all_numbers
    assert sums(found, "m") == by_entry
    assert total(found, "m") == (sum(all_numbers) if all_numbers else pytest.approx(math.nan, nan_ok=True))


def test_a_quoted_part_is_the_reports_own():
    claims = [
        Claim(id="A1", statement="", how="", parts={"a": "A holds."}),
        Claim(id="A2", statement="", how="", parts={"b": "B."}),
    ]
    assert wording(claims, {"a": "A does"}, "a") == {
        "claim": "A1", "part": "a", "of": "report", "statement": "A holds.", "quote": "A does",
    }  # fmt: skip
    assert wording(claims, {}, "b", "control")["of"] == "control"
    assert wording(claims, {}, "b")["claim"] == "A2"
