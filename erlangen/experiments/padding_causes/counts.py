"""Padding causes: what is counted over images, and the controls that must come out exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.counts import missing, total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.padding_causes.evidence import said
from erlangen.experiments.padding_causes.tasks import Copies
from erlangen.records.runs import JobResult


def copy_count(evidence: Evidence, name: str) -> float:
    """A count of what paddings copy; NaN where it was not measured."""
    results = evidence.of(Copies)
    return results[0].value(name) if results else math.nan


def copy_jobs(evidence: Evidence) -> tuple[str, ...]:
    """The job that counts, where it gave no result."""
    return missing(evidence, Copies)


def same_logits(part: str, away: Sequence[JobResult], near: Sequence[JobResult], lacking: tuple[str, ...] = ()) -> Exact:
    """That padding by copies is padding by zeros where the boxes are `away` from the border, and not where they are near it."""
    cases, changed = total(away, "border_away"), total(away, "border_away_changed")
    beside, seen = total(near, "border_near"), total(near, "border_near_changed")
    passed = 2 * seen > beside if math.isfinite(beside + seen) else None
    return Exact(
        **said(part),
        cases=cases if math.isfinite(cases) else 0,
        count=changed,
        unit="images whose logits differ",
        missing=lacking,
        checks=(Check("near the border, the logits of most images differ", passed),),
        corrected="The logits of some images differ.",
        test="trained nets, their copies multiplied by 1 and by 0; any differing bit counts",
        note=f"Near the border they differ for {seen:.0f} of {beside:.0f} images." if beside > 0 else "",
    )
