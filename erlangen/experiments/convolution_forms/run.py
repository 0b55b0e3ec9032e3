"""One graph convolution, three forms: what one job computes."""

from __future__ import annotations

from collections.abc import Callable

from erlangen.experiments.convolution_forms import tasks
from erlangen.experiments.convolution_forms.direction import direction, every_graph
from erlangen.experiments.convolution_forms.faults import faults, past_float32
from erlangen.experiments.convolution_forms.matrices import matrix, pyg, transposes
from erlangen.experiments.convolution_forms.medians import additivity, residual, selection
from erlangen.experiments.convolution_forms.messages import message, pair
from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement

RUNNERS: dict[type, Callable[..., list[Measurement]]] = {
    tasks.Message: message,
    tasks.Pair: pair,
    tasks.Matrix: matrix,
    tasks.Direction: direction,
    tasks.EveryGraph: every_graph,
    tasks.Transposes: transposes,
    tasks.Pyg: pyg,
    tasks.Additivity: additivity,
    tasks.Residual: residual,
    tasks.Selection: selection,
    tasks.Faults: faults,
    tasks.PastFloat32: past_float32,
}


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, RUNNERS)
