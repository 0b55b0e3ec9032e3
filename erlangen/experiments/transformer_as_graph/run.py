"""Transformers as graph networks: what one job computes."""

from __future__ import annotations

from erlangen.experiments.transformer_as_graph.layers import layer
from erlangen.experiments.transformer_as_graph.masks import picture, train
from erlangen.experiments.transformer_as_graph.orders import order
from erlangen.experiments.transformer_as_graph.relabelings import relabel
from erlangen.records.runs import Job, Measurement

TASKS = {"layer": layer, "order": order, "relabel": relabel, "picture": picture, "train": train}


def run(job: Job) -> list[Measurement]:
    """Measurements of one job, by its task."""
    return TASKS[str(job.params["task"])](job)
