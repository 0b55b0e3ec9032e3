"""What attention costs on a graph: one layer on one series of graphs."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.graph_cost.tasks import Layer, Sweep
from erlangen.experiments.kit.tasks import perform
from erlangen.measure.cost import median_seconds, peak_mib
from erlangen.nn.graph.attention import GATConv, TransformerConv
from erlangen.records.runs import Job, Measurement

HEADS = 4


class PairAttention(nn.Module):
    """Self-attention over all pairs, x (N, F) -> (N, F): Softmax(Q Kᵀ / √d) V, unfused or fused."""

    def __init__(self, features: int, fused: bool) -> None:
        super().__init__()
        self.features, self.fused = features, fused
        self.project = nn.Linear(features, 3 * features)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        heads = self.project(x).view(len(x), 3, HEADS, -1).permute(1, 2, 0, 3)  # (3, heads, N, d)
        query, key, value = heads.unbind(0)
        if self.fused:
            out = F.scaled_dot_product_attention(query[None], key[None], value[None])[0]  # fused kernels want a batch
        else:
            out = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value  # (heads, N, d)
        return out.transpose(0, 1).flatten(1)


LAYERS: dict[Layer, Callable[[int], nn.Module]] = {
    "gat": lambda features: GATConv(features, features // HEADS, HEADS, add_self_loops=False),
    "dot": lambda features: TransformerConv(features, features // HEADS, HEADS, root_weight=False),
    "plain": lambda features: PairAttention(features, fused=False),
    "fused": lambda features: PairAttention(features, fused=True),
}


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Sweep: sweep})


def sweep(task: Sweep, job: Job) -> list[Measurement]:
    """Seconds of forward and backward, and the most MiB held (the least of three), on each graph in turn."""
    torch.manual_seed(job.seed)
    layer = LAYERS[task.layer](task.features)
    warm = torch.randn(64, task.features, requires_grad=True)
    layer(warm, torch.randint(64, (2, 640))).sum().backward()  # libraries load their parts before memory is read
    seconds, memory, edges = [], [], []
    for nodes, degree in task.graphs():
        edge_index = regular(nodes, degree)
        step = step_of(layer, nodes, task.features, edge_index)
        step()  # what the libraries load at this size is no cost of the layer
        memory.append(min(peak_mib(step) for _ in range(3)))  # what else is held at times only ever adds
        seconds.append(median_seconds(step, repeats=5, budget=task.budget))
        edges.append(float(nodes * nodes if task.layer in ("plain", "fused") else edge_index.shape[1]))
    return [
        Measurement("seconds", tuple(seconds), "s, forward and backward"),
        Measurement("memory", tuple(memory), "MiB above those before, at most"),
        Measurement("edges", tuple(edges), "pairs attended"),
    ]


def regular(n: int, degree: int) -> Tensor:
    """A random graph of n nodes in which `degree` different nodes point to each; all of them where degree = n. (2, n · degree)"""
    steps = torch.randperm(n)[:degree]  # the same steps round a circle of nodes in random order
    order = torch.randperm(n)
    place = torch.arange(n).repeat_interleave(degree)
    return torch.stack([order[(place + steps.repeat(n)) % n], order[place]])


def step_of(layer: nn.Module, n: int, features: int, edge_index: Tensor) -> Callable[[], None]:
    """Forward and backward of the layer on random features."""
    x, grad = torch.randn(n, features, requires_grad=True), torch.randn(n, features)

    def step() -> None:
        x.grad = None
        layer.zero_grad()
        layer(x, edge_index).backward(grad)

    return step
