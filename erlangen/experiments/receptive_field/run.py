"""Receptive field: what one job computes."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.receptive_field.effective import effect
from erlangen.experiments.receptive_field.extents import extent
from erlangen.experiments.receptive_field.learning import learn
from erlangen.experiments.receptive_field.tasks import Effect, Extent, Learn
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Extent: extent, Effect: effect, Learn: learn})
