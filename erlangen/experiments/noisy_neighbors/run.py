"""Attention among noisy neighbors: what one job computes."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.noisy_neighbors.planted import planted, planted_separate
from erlangen.experiments.noisy_neighbors.robustness import train
from erlangen.experiments.noisy_neighbors.separation import separate
from erlangen.experiments.noisy_neighbors.tasks import Planted, PlantedSeparate, Separate, Train, TrainedWeights, Weights
from erlangen.experiments.noisy_neighbors.trained_weights import trained_weights
from erlangen.experiments.noisy_neighbors.weights import weights
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(
        job,
        {
            Weights: weights,
            TrainedWeights: trained_weights,
            Train: train,
            Planted: planted,
            Separate: separate,
            PlantedSeparate: planted_separate,
        },
    )
