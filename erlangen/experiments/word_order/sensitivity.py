"""How much the reading of a text depends on the order of its tokens before the last.

    error = ‖f(π x) - f(x)‖ / √(mean over texts of ‖f(x) - mean f‖²)

f: the logits after the last token, in float64. π permutes the others: the last token stays, and so do the words and how often
each comes. 0: the net sees a bag of words; 1: another order changes as much as other words do.
"""

from __future__ import annotations

import copy

import torch
from torch import Generator, Tensor

from erlangen.experiments.word_order.nets import Reader
from erlangen.records.runs import Measurement

LEAK = 0.01  # positions that are planted, as a share of the embeddings' root mean square: what the measure must see


@torch.no_grad()
def reading(net: Reader, tokens: Tensor) -> Tensor:
    """The logits (N, vocabulary) after the last of tokens (N, T), in the net's own precision, in eval mode."""
    logits: Tensor = net.eval()(tokens, tokens.shape[1] - 1)[:, 0]
    return logits


def doubled(net: Reader, leak: float = 0.0) -> Reader:
    """A copy of the net in float64, with so much of a leak of positions."""
    twin = copy.deepcopy(net).double()
    twin.leak = leak
    return twin


def reordered(tokens: Tensor, generator: Generator) -> Tensor:
    """Each row of tokens (N, T) with the tokens before its last one in another order, drawn uniformly.

    A row that the draw leaves as it was is reversed instead.
    """
    before, last = tokens[:, :-1], tokens[:, -1:]
    moved = before.gather(1, torch.rand(before.shape, generator=generator).argsort(1))  # (N, T - 1)
    same = (moved == before).all(1, keepdim=True)
    return torch.cat([torch.where(same, before.flip(1), moved), last], 1)


def spread(readings: Tensor) -> Tensor:
    """Root mean square distance of readings (N, vocabulary) from their mean, ()."""
    return (readings - readings.mean(0)).square().sum(1).mean().sqrt()


def order_errors(net: Reader, tokens: Tensor, seed: int) -> Tensor:
    """The error of each of tokens (N, T), which end in the same token, (N,)."""
    expected = reading(net, tokens)  # (N, vocabulary)
    actual = reading(net, reordered(tokens, torch.Generator().manual_seed(seed)))
    error: Tensor = torch.linalg.vector_norm(actual - expected, dim=1)
    return error / spread(expected)


def sensitivity(when: str, net: Reader, tokens: Tensor, seed: int) -> list[Measurement]:
    """The errors of texts that end in the same token, and those of the same net once positions leak into it.

    size: the root mean square length of the readings over their spread, which says what rounding does to the errors.
    """
    found = reading(doubled(net), tokens)
    return [
        Measurement(f"{when}_size", float(found.square().sum(1).mean().sqrt() / spread(found)), "of the spread"),
        Measurement(f"{when}_errors", tuple(order_errors(doubled(net), tokens, seed).tolist()), "error / spread"),
        Measurement(f"{when}_leak_errors", tuple(order_errors(doubled(net, LEAK), tokens, seed).tolist()), "error / spread"),
    ]
