"""One graph convolution, three forms: what one job computes."""

from __future__ import annotations

from erlangen.experiments.convolution_forms.direction import direction, every_graph
from erlangen.experiments.convolution_forms.faults import faults, past_float32
from erlangen.experiments.convolution_forms.matrices import matrix, pyg, transposes
from erlangen.experiments.convolution_forms.medians import additivity, residual, selection
from erlangen.experiments.convolution_forms.messages import message, pair
from erlangen.records.runs import Job, Measurement

TASKS = {
    "message": message,
    "pair": pair,
    "matrix": matrix,
    "direction": direction,
    "every-graph": every_graph,
    "transposes": transposes,
    "pyg": pyg,
    "additivity": additivity,
    "residual": residual,
    "selection": selection,
    "faults": faults,
    "past-float32": past_float32,
}


def run(job: Job) -> list[Measurement]:
    """Measurements of one job, by its task."""
    return TASKS[str(job.params["task"])](job)
