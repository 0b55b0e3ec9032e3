"""One number for each token or point, (B, N), and vectors that have as many features by chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from auditing.oracles.several_outputs import LENGTH, VOCABULARY, Net, points, texts
from torch import Tensor, nn

N = 16


def of_texts(name: str, call: Callable[[Any, Tensor], Any], expected: Mapping[str, Any]) -> Case:
    def build(dtype: torch.dtype) -> nn.Module:
        rnn = nn.GRU(8, 8, batch_first=True)
        return served(Net(call, embed=nn.Embedding(VOCABULARY, 8), rnn=rnn, head=nn.Linear(8, LENGTH)), dtype)

    return Case(name=name, domain="texts", build=build, inputs=texts, expected=expected)


def of_points(name: str, call: Callable[[Any, Tensor], Any], expected: Mapping[str, Any]) -> Case:
    def build(dtype: torch.dtype) -> nn.Module:
        return served(Net(call, each=nn.Sequential(nn.Linear(3, 8), nn.Tanh()), head=nn.Linear(8, N)), dtype)

    return Case(name=name, domain="points", build=build, inputs=points, expected=expected)


def seen(s: Any, ids: Tensor) -> Tensor:
    """(B, T, D): what a recurrent net has seen up to each token."""
    return s.rnn(s.embed(ids))[0]


def two(s: Any, ids: Tensor, leak: float) -> tuple[Tensor, Tensor]:
    """Rows, and a value for each token."""
    h = seen(s, ids)
    value = h.sum(2)
    return h, value + leak * value.mean(1, keepdim=True)


def without_two(y: Tensor) -> Tensor:
    """Logits with two classes that are never predicted."""
    return y.masked_fill(torch.arange(y.shape[-1], device=y.device) % 5 == 1, -torch.inf)


def unless_first(s: Any, x: Tensor) -> Tensor:
    """A class that is predicted only if the first point lies on one side."""
    y = s.head(s.each(x).amax(1))
    return torch.where((torch.arange(N, device=x.device) == 3) & (x[:, :1, 0] < 0), -torch.inf, y)


CASES = [
    of_texts("two tokens never predicted", lambda s, ids: without_two(s.head(seen(s, ids))), {"causality": EXACT}),
    of_texts(
        "two tokens never predicted, and the end seen",
        lambda s, ids: without_two(s.head(seen(s, ids) + s.embed(ids).mean(1, keepdim=True))),
        {"causality": BROKEN},
    ),
    of_points("two classes never predicted", lambda s, x: without_two(s.head(s.each(x).amax(1))), {"point-permutation": EXACT}),
    of_points(
        "two classes never predicted, in order", lambda s, x: without_two(s.head(s.each(x)[:, 0])), {"point-permutation": BROKEN}
    ),
    of_points(
        "a class predicted by the side of the first point",
        unless_first,
        {"point-permutation": frozenset([BROKEN, UNMEASURED]), "repeat": UNMEASURED, "batch-composition": UNMEASURED},
    ),
    of_texts(
        "a score for each token, causal", lambda s, ids: seen(s, ids).sum(2), {"causality": EXACT, "token-permutation": BROKEN}
    ),
    of_texts(
        "a score for each token, of a set",
        lambda s, ids: s.embed(ids).sum(2) + s.embed(ids).sum((1, 2))[:, None],
        {"causality": BROKEN, "token-permutation": EXACT},
    ),
    of_texts("a value beside rows, causal", lambda s, ids: two(s, ids, 0.0), {"causality": EXACT}),
    of_texts("a value beside rows, that sees the end", lambda s, ids: two(s, ids, 0.1), {"causality": BROKEN}),
    of_texts(
        "as many classes as tokens",
        lambda s, ids: s.head(s.embed(ids).mean(1)),
        {"causality": UNMEASURED, "token-permutation": EXACT},
    ),
    of_texts("as many classes as tokens, in order", lambda s, ids: s.head(seen(s, ids)[:, -1]), {"token-permutation": BROKEN}),
    of_points(
        "a score for each point", lambda s, x: s.each(x).sum(2) - s.each(x).mean((1, 2))[:, None], {"point-permutation": EXACT}
    ),
    of_points("a score for each point, summed up", lambda s, x: s.each(x).sum(2).cumsum(1), {"point-permutation": BROKEN}),
    of_points("scores and a vector of points", lambda s, x: (s.each(x).sum(2), s.each(x).amax(1)), {"point-permutation": EXACT}),
    of_points("as many classes as points", lambda s, x: s.head(s.each(x).amax(1)), {"point-permutation": EXACT}),
    of_points("as many classes as points, in order", lambda s, x: s.head(s.each(x)[:, 0]), {"point-permutation": BROKEN}),
]
