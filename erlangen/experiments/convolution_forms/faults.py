"""G6: torch_geometric's own median and max on the inputs where they were found to fail, and ours on the same."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.experiments.convolution_forms.drawing import random_edges
from erlangen.experiments.convolution_forms.tasks import Faults, PastFloat32
from erlangen.nn.graph.aggregate import Aggregation, aggregate
from erlangen.records.runs import Job, Measurement

Aggregator = Callable[[Tensor, Tensor, int], Tensor]  # messages (E, F), target (E,), number of nodes N -> (N, F)
Case = tuple[Tensor, Tensor, int, Tensor]  # its arguments and the right answer

RANDOM = 100  # graphs
COUNTED = "cases, theirs raised, theirs wrong, ours raised or wrong"


def ours(messages: Tensor, target: Tensor, nodes: int, how: Aggregation = "median") -> Tensor:
    return aggregate(messages, target, nodes, how)


def peer(module: nn.Module) -> Aggregator:
    """One of torch_geometric's aggregations as a function."""

    def call(messages: Tensor, target: Tensor, nodes: int) -> Tensor:
        found: Tensor = module(messages, target, dim_size=nodes)
        return found

    return call


def slope(aggregator: Aggregator, messages: Tensor, target: Tensor, nodes: int) -> Tensor:
    """The gradient of the sum of the output."""
    leaf = messages.clone().requires_grad_()
    return torch.autograd.grad(aggregator(leaf, target, nodes).sum(), leaf)[0]


def outcome(aggregator: Aggregator, case: Case) -> tuple[bool, bool]:
    """Whether it raised, whether it gave anything but the right answer."""
    try:
        found = aggregator(*case[:3])
    except (RuntimeError, IndexError):
        return True, False
    return False, not torch.equal(found, case[3])


def tally(name: str, theirs: Aggregator, own: Aggregator, cases: Iterator[Case]) -> Measurement:
    count = [0.0, 0.0, 0.0, 0.0]
    for case in cases:
        raised, wrong = outcome(theirs, case)
        for place, more in enumerate((1, raised, wrong, any(outcome(own, case)))):
            count[place] += more
    return Measurement(name, tuple(count), COUNTED)


def no_edges() -> Iterator[Case]:
    for nodes in range(1, 6):
        for width in range(1, 5):
            yield torch.zeros(0, width), torch.zeros(0, dtype=torch.int64), nodes, torch.zeros(nodes, width)


def on_graphs(seed: int, reached: bool) -> Iterator[Case]:
    """Of random graphs with edges those where every node is reached, or the others; the medians by Python's `statistics`."""
    rng = np.random.default_rng(seed)
    for _ in range(RANDOM):
        nodes, (_, target) = random_edges(rng, 8)
        messages = torch.from_numpy(rng.normal(size=(len(target), 2))).float()
        if len(target) and reached == (len(set(target.tolist())) == nodes):
            arrived = [messages[target == v].T.tolist() for v in range(nodes)]
            rows = [[statistics.median_low(column) if column else 0.0 for column in columns] for columns in arrived]
            yield messages, target, nodes, torch.tensor(rows)


def in_bfloat16() -> Iterator[Case]:
    """0, 1, 2, 3 at every node, whose lower median is 1."""
    for nodes in (50, 100, 200, 400):
        edge = torch.arange(4 * nodes)
        yield (edge % 4).bfloat16()[:, None], edge // 4, nodes, torch.ones(nodes, 1).bfloat16()


def at_zero(sign: float) -> Iterator[Case]:
    """The one largest message (sign -1), or least, is 0, beside 1 to 8 others: the gradient is its own."""
    for others in range(1, 9):
        messages = sign * torch.arange(others + 1.0)[:, None]
        yield messages, torch.zeros(others + 1, dtype=torch.int64), 1, (messages == 0).float()


def past_2_to_the_24() -> Iterator[Case]:
    """The last node's messages 1, 2, 3 start at place 2²⁴ once sorted; its median stands at 2²⁴ + 1, which is no float32."""
    messages, target = torch.zeros(2**24 + 3, 1), torch.zeros(2**24 + 3, dtype=torch.int64)
    messages[-3:, 0], target[-3:] = torch.tensor([1.0, 2.0, 3.0]), 1
    yield messages, target, 2, torch.tensor([[0.0], [2.0]])


def faults(task: Faults, job: Job) -> list[Measurement]:
    """For each kind of input how often theirs and ours fail; nothing without torch_geometric."""
    if task.torch_geometric is None:
        return []
    from torch_geometric.nn import aggr

    median, narrow = peer(aggr.MedianAggregation()), peer(aggr.MedianAggregation().bfloat16())
    largest, least = (partial(slope, peer(module)) for module in (aggr.MaxAggregation(), aggr.MinAggregation()))
    return [
        tally("median, no edges", median, ours, no_edges()),
        tally("median, some nodes not reached", median, ours, on_graphs(job.seed, False)),
        tally("median, every node reached", median, ours, on_graphs(job.seed, True)),
        tally("median, module in bfloat16", narrow, ours, in_bfloat16()),
        tally("gradient of max at 0", largest, partial(slope, partial(ours, how="max")), at_zero(-1.0)),
        tally("gradient of min at 0", least, partial(slope, partial(ours, how="min")), at_zero(1.0)),
    ]


def past_float32(task: PastFloat32, job: Job) -> list[Measurement]:
    """More edges than float32 can number; nothing without torch_geometric."""
    if task.torch_geometric is None:
        return []
    from torch_geometric.nn import aggr

    return [tally("median, past 2²⁴ edges", peer(aggr.MedianAggregation()), ours, past_2_to_the_24())]
