"""What a job computes. Whatever this file imports decides when results are recomputed: no claims, no colors."""

import torch
from torch import nn

from erlangen.experiments.kit import Job, Measurement, perform

from .tasks import Train


def run(job: Job) -> list[Measurement]:
    return perform(job, {Train: train})


def train(task: Train, job: Job) -> list[Measurement]:
    """Learn from 1000 sets whether the median is positive; test on 10 000 new ones."""
    torch.manual_seed(job.seed)
    x = torch.randn(11_000, 9)
    y = (x.median(1).values > 0).float()
    x = x.sort(1).values if task.order == "sorted" else x
    net = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(task.steps):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(net(x[:1000]), y[:1000]).backward()
        optimizer.step()
    correct = 100 * ((net(x) > 0) == (y > 0)).float()
    splits = {"train_accuracy": correct[:1000], "test_accuracy": correct[1000:]}
    return [Measurement(name, split.mean().item(), "%") for name, split in splits.items()]
