"""Depth, and the node itself: what one job computes."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.oversmoothing.itself import itself
from erlangen.experiments.oversmoothing.nets import start, train
from erlangen.experiments.oversmoothing.propagation import propagate
from erlangen.experiments.oversmoothing.tasks import Itself, Propagate, Start, Train
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Itself: itself, Propagate: propagate, Start: start, Train: train})
