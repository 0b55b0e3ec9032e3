"""Claim G11, for a picture: the karate club, and who in it attends to whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from erlangen.data.graphs import karate_club, random_split
from erlangen.experiments.transformer_as_graph.masks import FEATURES, SIGNAL, mask_edges
from erlangen.experiments.transformer_as_graph.tasks import Picture
from erlangen.experiments.transformer_as_graph.training import TRANSFORMER, tune
from erlangen.records.runs import Job, Measurement


def picture(task: Picture, job: Job) -> list[Measurement]:
    """Attention in the first layer along ties, and to everyone; made-up features tell the two clubs apart a little."""
    club = karate_club()
    rng = np.random.default_rng(job.seed)
    means = rng.normal(size=(2, FEATURES))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    x = SIGNAL[2] * means[club.y.numpy()] + rng.normal(size=(club.num_nodes, FEATURES))
    train, validation, test = random_split(club.y, 6, 8, rng)
    graph = replace(club, x=torch.from_numpy(x).float(), train_mask=train, validation_mask=validation, test_mask=test)
    measured = [
        Measurement("club", tuple(float(club) for club in graph.y)),
        Measurement("edges", tuple(float(node) for node in graph.edge_index.flatten()), "sources, then targets"),
    ]
    for mask in ("graph", "complete"):
        masked = replace(graph, edge_index=mask_edges(graph, mask, job.seed))
        net, _, _ = tune(masked, 60, 20, job.seed, TRANSFORMER)
        weight = net.attention(masked.x, masked.edge_index)[0].mean(1)
        dense = torch.zeros(graph.num_nodes, graph.num_nodes).index_put((masked.edge_index[1], masked.edge_index[0]), weight)
        measured.append(Measurement(f"{mask}_attention", tuple(dense.flatten().tolist()), "target, then source"))
    return measured
