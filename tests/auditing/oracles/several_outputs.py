"""Models that return several outputs: what is right of each, the worst counts."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from torch import Tensor, nn

from erlangen.auditing.inputs import generated

VOCABULARY, LENGTH = 20, 10
Heads = namedtuple("Heads", "classes boxes")


class Answer:
    """Of a user's own class, without a dict of attributes."""

    __slots__ = ("classes", "features")

    def __init__(self, classes: Tensor, features: Tensor) -> None:
        self.classes, self.features = classes, features


@dataclass
class Detection:
    scores: Tensor
    offsets: Tensor
    note: str = "no tensor"


class Net(nn.Module):
    """A module with layers by name, and its forward as a function."""

    def __init__(self, call: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.call = call
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *args: Any) -> Any:
        return self.call(self, *args)


def circular(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1, padding_mode="circular")


def padded(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)


def images(seed: int, dtype: torch.dtype) -> list[Tensor]:
    return [x.to(dtype) for x in generated("images", (3, 12, 12), 10, seed=seed)]


def points(seed: int, dtype: torch.dtype) -> list[Tensor]:
    return [x.to(dtype) for x in generated("points", (16, 3), 10, seed=seed)]


def texts(seed: int, dtype: torch.dtype) -> list[Any]:
    return generated("texts", (LENGTH,), 10, VOCABULARY, seed)


def series(seed: int, dtype: torch.dtype) -> list[Tensor]:
    return [x.to(dtype) for x in generated("series", (2, 16), 10, seed=seed)]


def graphs(seed: int, dtype: torch.dtype, n: int = 10) -> list[Any]:
    return [replace(graph, x=graph.x.to(dtype)) for graph in generated("graphs", (9, 4), n, seed=seed)]


def many_graphs(seed: int, dtype: torch.dtype) -> list[Any]:
    """Thirty: what the first node says scatters too much for ten to decide."""
    return graphs(seed, dtype, 30)


def of_module(make: Callable[[], nn.Module]) -> Callable[[torch.dtype], nn.Module]:
    return lambda dtype: served(make(), dtype)


def pair(
    name: str,
    domain: str,
    inputs: Callable[[int, torch.dtype], Any],
    check: str,
    right: Callable[[], nn.Module],
    wrong: Callable[[], nn.Module],
) -> list[Case]:
    """Two near twins: all outputs of one are right, the last output of the other is not."""
    return [
        Case(name=f"{name}, all right", domain=domain, build=of_module(right), inputs=inputs, expected={check: EXACT}),
        Case(name=f"{name}, the last one wrong", domain=domain, build=of_module(wrong), inputs=inputs, expected={check: BROKEN}),
    ]


def heads(last: nn.Module) -> nn.Module:
    """Classes from a pooled map, and the map: a vector beside a map."""
    body = nn.Sequential(circular(3, 6), nn.ReLU())
    return Net(lambda s, x: {"logits": s.body(x).mean((2, 3)), "map": s.last(s.body(x))}, body=body, last=last)


def encoder(order: bool) -> nn.Module:
    """A PointNet that also returns its transform (3, 3) and its features."""

    def call(s: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        each = s.each(x)
        pooled = each.amax(1)
        features = each.cumsum(1) if order else each
        return s.head(pooled), s.turn(pooled).view(-1, 3, 3), features

    each = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 8))
    return Net(call, each=each, head=nn.Linear(8, 5), turn=nn.Linear(8, 9))


def language(future: bool) -> nn.Module:
    """Logits, and a value for each token."""

    def call(s: Any, ids: Tensor) -> dict[str, Tensor]:
        h = s.rnn(s.embed(ids))[0]
        seen = h + h.mean(1, keepdim=True) if future else h
        return {"logits": s.head(h), "value": s.value(seen)}

    rnn = nn.GRU(8, 8, batch_first=True)
    return Net(call, embed=nn.Embedding(VOCABULARY, 8), rnn=rnn, head=nn.Linear(8, VOCABULARY), value=nn.Linear(8, 1))


def recurrent(both_ways: bool) -> nn.Module:
    """What `nn.LSTM` returns: rows, and states (layers, B, D), which have no part for each input along the first axis."""
    rnn = nn.LSTM(8, 6, num_layers=2, batch_first=True, bidirectional=both_ways)
    return Net(lambda s, ids: s.rnn(s.embed(ids)), embed=nn.Embedding(VOCABULARY, 8), rnn=rnn)


def attention(positions: bool) -> nn.Module:
    """What `nn.MultiheadAttention` returns: rows, and the weights of all pairs."""

    def call(s: Any, ids: Tensor) -> tuple[Tensor, Tensor]:
        h = s.embed(ids)
        h = h + torch.linspace(0, 1, h.shape[1]).to(h)[:, None] if positions else h
        return s.mixing(h, h, h)

    mixing = nn.MultiheadAttention(8, 2, batch_first=True)
    return Net(call, embed=nn.Embedding(VOCABULARY, 8), mixing=mixing)


def autoencoder(whole: bool) -> nn.Module:
    """A variational autoencoder: mean, logarithm of the variance, and the image again."""

    def call(s: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = s.down(x).relu()
        mean, scale = s.mean(h), s.scale(h)
        again = s.up(mean)
        return mean, scale, again + again.mean(0) if whole else again

    return Net(call, down=circular(3, 6), mean=circular(6, 2), scale=circular(6, 2), up=circular(2, 3))


def pyramid(last: Callable[[int, int], nn.Module]) -> nn.Module:
    """Maps of several sizes in a list, as for deep supervision."""

    def call(s: Any, x: Tensor) -> list[Tensor]:
        fine = s.fine(x).relu()
        return [fine, nn.functional.avg_pool2d(s.coarse(fine), 2)]

    return Net(call, fine=circular(3, 5), coarse=last(5, 5))


class OfGraph(nn.Module):
    def __init__(self, named: bool) -> None:
        super().__init__()
        self.first, self.node, self.whole, self.named = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 2), named

    def forward(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        summed = torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])
        h = self.first(summed).relu()
        return self.node(h), self.whole(h[:1] if self.named else h.sum(0, keepdim=True))


def in_container(make: Callable[[Tensor, Tensor], Any], last: nn.Module) -> nn.Module:
    return Net(lambda s, x: make(s.body(x).mean((2, 3)), s.last(s.body(x)).amax((2, 3))),
               body=nn.Sequential(circular(3, 6), nn.ReLU()), last=last)  # fmt: skip


def sequence(both: bool) -> nn.Module:
    """Steps (C, T), and one vector for the whole series."""

    def call(s: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        steps = s.steps(x)
        summary = s.other(steps)
        return steps, (summary * torch.linspace(0, 1, summary.shape[-1]).to(x) if both else summary).mean(-1)

    one = {"padding": 1, "padding_mode": "circular"}
    return Net(call, steps=nn.Conv1d(2, 6, 3, **one), other=nn.Conv1d(6, 4, 3, **one))  # type: ignore[arg-type]


def beside(second: Callable[[Tensor], Tensor]) -> nn.Module:
    """Pooled features, nothing, and what a function makes of the features."""

    def call(s: Any, x: Tensor) -> tuple[Tensor, None, Tensor]:
        h = s.body(x).relu().mean((2, 3))
        return h, None, second(h)

    return Net(call, body=circular(3, 6))


CASES = [
    *pair("a vector and a map", "images", images, "translation", lambda: heads(circular(6, 4)), lambda: heads(padded(6, 4))),
    *pair("a transform beside classes", "points", points, "point-permutation", lambda: encoder(False), lambda: encoder(True)),
    *pair("logits and a value head", "texts", texts, "causality", lambda: language(False), lambda: language(True)),
    *pair("rows and states", "texts", texts, "causality", lambda: recurrent(False), lambda: recurrent(True)),
    *pair("rows and attention", "texts", texts, "token-permutation", lambda: attention(False), lambda: attention(True)),
    *pair("maps of two sizes", "images", images, "translation", lambda: pyramid(circular), lambda: pyramid(padded)),
    *pair("nodes and the graph", "graphs", many_graphs, "node-permutation", lambda: OfGraph(False), lambda: OfGraph(True)),
    *pair("steps and a summary", "series", series, "time-shift", lambda: sequence(False), lambda: sequence(True)),
    *pair("an autoencoder", "images", images, "batch-composition", lambda: autoencoder(False), lambda: autoencoder(True)),
    *pair(
        "a class with slots", "images", images, "translation",
        lambda: in_container(Answer, circular(6, 4)), lambda: in_container(Answer, padded(6, 4)),
    ),
    *pair(
        "a named tuple", "images", images, "translation",
        lambda: in_container(Heads, circular(6, 4)), lambda: in_container(Heads, padded(6, 4)),
    ),
    *pair(
        "a dataclass", "images", images, "translation",
        lambda: in_container(Detection, circular(6, 4)), lambda: in_container(Detection, padded(6, 4)),
    ),
    *pair(
        "a nested dict", "images", images, "translation",
        lambda: in_container(lambda a, b: {"a": a, "more": [{"b": b}]}, circular(6, 4)),
        lambda: in_container(lambda a, b: {"a": a, "more": [{"b": b}]}, padded(6, 4)),
    ),
    Case(
        name="dropout in one of two, all right", domain="images", inputs=images, expected={"repeat": EXACT},
        build=of_module(lambda: beside(lambda h: nn.functional.dropout(h, 0.0))),
    ),
    Case(
        name="dropout in one of two, the last one wrong", domain="images", inputs=images,
        build=of_module(lambda: beside(lambda h: nn.functional.dropout(h, 0.5))),
        expected={"repeat": BROKEN, "batch-composition": UNMEASURED},
    ),
    *pair(
        "one of two relative to the batch", "images", images, "batch-composition",
        lambda: beside(lambda h: h - h.mean(1, keepdim=True)), lambda: beside(lambda h: h - h.mean(0)),
    ),
    Case(
        name="a constant beside classes, all right", domain="images", inputs=images, expected={"batch-composition": EXACT},
        build=of_module(lambda: beside(torch.ones_like)),
    ),
    Case(
        name="a number of the batch beside classes, the last one wrong", domain="images", inputs=images,
        build=of_module(lambda: beside(lambda h: torch.ones_like(h) * h.sum())),
        expected={"batch-composition": BROKEN, "batch-size": UNMEASURED, "repeat": UNMEASURED},
    ),
]  # fmt: skip
