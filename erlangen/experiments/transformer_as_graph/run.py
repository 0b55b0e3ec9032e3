"""Transformers as graph networks: what one job computes."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.transformer_as_graph.arms import train, train_on_cora
from erlangen.experiments.transformer_as_graph.club import picture
from erlangen.experiments.transformer_as_graph.layers import compare_layers
from erlangen.experiments.transformer_as_graph.orders import count_orders
from erlangen.experiments.transformer_as_graph.relabelings import relabel
from erlangen.experiments.transformer_as_graph.tasks import Cora, Layer, Order, Picture, Relabel, Train
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(
        job, {Layer: compare_layers, Order: count_orders, Relabel: relabel, Picture: picture, Train: train, Cora: train_on_cora}
    )
