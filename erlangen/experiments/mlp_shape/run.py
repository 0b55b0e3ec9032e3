"""The shape of the MLP: what one job computes."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.mlp_shape.learning import learn
from erlangen.experiments.mlp_shape.speed import time_shapes
from erlangen.experiments.mlp_shape.tasks import Learn, Shake, Speed, Vanish
from erlangen.experiments.mlp_shape.vanishing import measure_vanishing
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Learn: learn, Shake: learn, Vanish: measure_vanishing, Speed: time_shapes})
