"""The nets of `fairytales`, trained to the last step."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from erlangen.data.corpus import Corpus
from erlangen.experiments.fairytales.tasks import Net
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import Evaluation, LanguageHistory, LanguageSchedule, fit
from erlangen.train.seeds import seed_everything

Weights = dict[str, Tensor]


def build(task: Net, vocabulary: int, seed: int) -> GPT:
    """The task's net, with the first weights of its seed."""
    seed_everything(seed)
    config = GPTConfig(
        vocabulary=vocabulary, block=task.block, layers=task.layers, heads=task.heads, width=task.width, dropout=task.dropout
    )
    return GPT(config)


def train(model: GPT, corpus: Corpus, schedule: LanguageSchedule, job: Job) -> tuple[LanguageHistory, dict[str, Weights]]:
    """Train to the last step. Returns the weights of the least validation loss, "stopped", and the "last" ones."""
    last: Weights = {}

    def keep(evaluation: Evaluation) -> None:
        if evaluation.step == schedule.steps:
            last.update(copy.deepcopy(model.state_dict()))

    history = fit(model, corpus, schedule, precision=job.precision, device=job.device, on_evaluation=keep)
    return history, {"stopped": copy.deepcopy(model.state_dict()), "last": last}


def late_loss(evaluations: Sequence[Evaluation], steps: int) -> Measurement:
    """The mean training loss over the last fifth of the steps."""
    losses = [evaluation.train_loss for evaluation in evaluations if evaluation.step > 0.8 * steps]
    return Measurement(
        "train_loss_in_training", float(np.mean(losses)), "nats per character, with dropout, last fifth of the steps"
    )
