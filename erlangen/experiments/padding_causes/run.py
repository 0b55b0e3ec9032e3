"""Padding causes: train one net, or count what paddings copy."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.padding_causes.copies import copies
from erlangen.experiments.padding_causes.tasks import Cause, Copies, Frame
from erlangen.experiments.padding_causes.training import train_in_frame, train_on_report
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Cause: train_on_report, Frame: train_in_frame, Copies: copies})
