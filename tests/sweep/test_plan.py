"""What a run is expected to take."""

from __future__ import annotations

import pytest

from erlangen.experiments import planned_jobs
from erlangen.experiments.rotation import PRESETS
from erlangen.records.runs import Precision
from erlangen.sweep import plan


@pytest.mark.parametrize(
    ("precision", "processor", "share"),
    [("float32", "amx_bf16", 1.0), ("bfloat16", "amx_bf16", 1 / 2.1), ("bfloat16", "avx2", 1.0)],
)
def test_estimates_follow_the_precision_where_the_processor_does(
    precision: Precision, processor: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "fingerprint", lambda module: "")
    monkeypatch.setattr(plan, "processor", lambda: processor)
    jobs = plan.keyed_jobs("rotation", PRESETS["quick"], precision, "cpu").values()
    plain = planned_jobs("rotation", PRESETS["quick"])
    assert sum(job.seconds for job in jobs) == pytest.approx(share * sum(job.seconds for job in plain))
