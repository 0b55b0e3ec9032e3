"""The layers that are compared, and the graphs on which they are."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.graph_cost.tasks import Layer
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.transformer_conv import TransformerConv

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


def regular(n: int, degree: int) -> Tensor:
    """A random graph of n nodes in which `degree` different nodes point to each; all of them where degree = n. (2, n · degree)"""
    steps = torch.randperm(n)[:degree]  # the same steps round a circle of nodes in random order
    order = torch.randperm(n)
    place = torch.arange(n).repeat_interleave(degree)
    return torch.stack([order[(place + steps.repeat(n)) % n], order[place]])


def passes(layer: nn.Module, n: int, degree: int, features: int) -> tuple[Callable[[], Tensor], Callable[[], object]]:
    """A forward pass without gradients, and a forward and backward pass, on a new random graph with random features.

    What a layer derives from the edges once, such as their order by target, is derived here: it is no part of a pass.
    """
    edge_index = regular(n, degree)
    x, grad = torch.randn(n, features, requires_grad=True), torch.randn(n, features)
    inputs = [x, *layer.parameters()]

    def forward() -> Tensor:
        with torch.no_grad():
            out: Tensor = layer(x, edge_index)
        return out

    def both() -> object:
        return torch.autograd.grad(layer(x, edge_index), inputs, grad)

    both()
    return forward, both
