"""What attention costs on a graph: what one job counts or times."""

from __future__ import annotations

import torch

from erlangen.experiments.attention_cost.allocator import keep_pages, return_pages
from erlangen.experiments.attention_cost.costs import clocked
from erlangen.experiments.graph_cost.layers import HEADS, LAYERS, passes
from erlangen.experiments.graph_cost.operations import count_operations, numbers_stored
from erlangen.experiments.graph_cost.tasks import Count, Time
from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement

MATRICES = 8  # of all pairs in each head, for which room is made: unfused attention holds 4 in its backward pass
UNITS = {"products": "multiply-adds", "entries": "entries", "stored": "numbers kept for the gradient"}


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Count: count, Time: timed})


def count(task: Count, job: Job) -> list[Measurement]:
    """Multiply-adds and entries of a forward pass, and of both passes, and the numbers stored, on each graph in turn."""
    torch.manual_seed(job.seed)
    layer = LAYERS[task.layer](task.features)
    counted: dict[str, list[float]] = {}
    for nodes, degree in task.graphs():
        forward, both = passes(layer, nodes, degree, task.features)
        found = {"stored": numbers_stored(both)}
        for name, step in (("forward", forward), ("both", both)):
            found[f"products {name}"], found[f"entries {name}"] = count_operations(step)
        for name, number in found.items():
            counted.setdefault(name, []).append(float(number))
    return [Measurement(name, tuple(numbers), UNITS[name.partition(" ")[0]]) for name, numbers in counted.items()]


def timed(task: Time, job: Job) -> list[Measurement]:
    """The median seconds and page faults of forward and backward on each graph in turn."""
    torch.manual_seed(job.seed)
    kept = keep_pages(MATRICES * HEADS * max(pairs(task))) if task.kept else not return_pages()
    layer = LAYERS[task.layer](task.features)
    found = []
    for nodes, degree in reversed(task.graphs()):  # the largest first, while the room is in one piece
        found.append(clocked(passes(layer, nodes, degree, task.features)[1], task.budget, job.device))
    seconds, faults = zip(*reversed(found), strict=True)
    return [
        Measurement("seconds", seconds, "s, forward and backward"),
        Measurement("faults", faults, "page faults a step"),
        Measurement("pages kept", float(kept), "1 where the allocator keeps its pages"),
    ]


def pairs(task: Time) -> list[int]:
    """The pairs of nodes of which the layer holds a number in each head, on each graph: edges, all pairs, or those of a row."""
    held = {"plain": lambda n, degree: n * n, "fused": lambda n, degree: n}
    return [held.get(task.layer, lambda n, degree: n * degree)(*graph) for graph in task.graphs()]
