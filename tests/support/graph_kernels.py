"""Graphs, layers and comparisons for the tests of graph layers by the kernels of a GPU."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.nn.graph import GATConv, GATv2Conv, TransformerConv, launch
from support.graphs import assert_near, with_random_bias

ATTENTION = (GATConv, GATv2Conv, TransformerConv)
SHAPES = [(1, 1), (3, 7), (8, 8), (2, 33), (1, 64), (2, 128)]  # heads, channels
BOUND = {torch.float32: 2e-5, torch.float64: 1e-11, torch.bfloat16: 0.05, torch.float16: 0.05}
# LeakyReLU has its other slope where z is rounded across 0: in bfloat16, a CPU's gradients are off by up to 0.27 of the largest.
OF_GRADIENTS = {**BOUND, torch.float32: 2e-4, torch.bfloat16: 0.5, torch.float16: 0.5}


def edges_between(sources: int, targets: int, count: int, hub: int = 0) -> Tensor:
    """Random edges with equal ones; the last target, and the last source, have none. hub: more edges that reach target 0."""
    generator = torch.Generator().manual_seed(3)
    source, target = (torch.randint(n - 1, (count,), generator=generator) for n in (sources, targets))
    pair = torch.stack([source, target])
    pair[:, 1] = pair[:, 0]
    more = torch.stack([torch.randint(sources - 1, (hub,), generator=generator), torch.zeros(hub, dtype=torch.int64)])
    return torch.cat([pair, more], 1)[:, torch.randperm(count + hub, generator=generator)]


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def results(layer: nn.Module, x: Any, edge_index: Tensor, *edge_values: Tensor) -> list[Tensor]:
    """The output and the gradients of features, edge values and weights, on the CPU in float64."""
    leaves = [one.clone().requires_grad_() for one in (x if isinstance(x, tuple) else (x,))]
    values = [one.clone().requires_grad_() for one in edge_values]
    out = layer(tuple(leaves) if isinstance(x, tuple) else leaves[0], edge_index, *values)
    weights = (torch.arange(out.numel(), device=out.device) % 7 + 1).to(out.dtype).view_as(out) / 8  # exact in every dtype
    inputs = [*leaves, *values, *layer.parameters()]
    grads = torch.autograd.grad((out * weights).sum(), inputs, allow_unused=True, materialize_grads=True)
    return [one.detach().cpu().double() for one in (out, *grads)]


def compare(
    layer: nn.Module, x: Any, edge_index: Tensor, *values: Tensor, device: str, dtype: torch.dtype = torch.float32
) -> None:
    """A layer and its gradients on the device against the CPU in float64, both from numbers that are exact in `dtype`."""
    layer = with_random_bias(layer).to(dtype)

    def moved(one: Any) -> Any:
        return tuple(moved(part) for part in one) if isinstance(one, tuple) else one.to(device, dtype)

    ours = results(copy.deepcopy(layer).to(device), moved(x), edge_index.to(device), *(moved(one) for one in values))
    exact = tuple(one.to(dtype).double() for one in x) if isinstance(x, tuple) else x.to(dtype).double()
    devices, launch.DEVICES = launch.DEVICES, ()
    try:
        theirs = results(layer.double(), exact, edge_index, *(one.to(dtype).double() for one in values))
    finally:
        launch.DEVICES = devices
    assert_near(ours[0], theirs[0], BOUND[dtype])
    for a, b in zip(ours[1:], theirs[1:], strict=True):
        assert_near(a, b, OF_GRADIENTS[dtype])
