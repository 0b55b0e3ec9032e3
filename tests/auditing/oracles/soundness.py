"""Models that an audit was fooled by, each beside its near twin that is right, in several precisions, with and without a twin.

A `Question` has one check and the truth. What may be said of it follows: a model that lacks the symmetry is never exact and never
holds it; one that has it is never broken. `decided` says that the numbers suffice, so that the answer must be given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from auditing.oracles.images import convolutions, noise, pooled
from auditing.oracles.texts import Attention, sentences
from torch import Tensor, nn
from torch.nn import functional

Make = Callable[[], nn.Module]
HALVES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Question:
    """One check of one model. hidden: behind a function, so that there is no float64 twin."""

    name: str
    check: str
    has: bool
    make: Make
    inputs: Callable[[int, torch.dtype], Any]
    dtype: torch.dtype
    hidden: bool
    decided: bool
    domain: str = "images"

    @property
    def label(self) -> str:
        has = "has" if self.has else "lacks"
        where = "function" if self.hidden else "module"
        return f"{self.check}: {self.name}, {has} it, {str(self.dtype).removeprefix('torch.')} {where}".replace(" ", "-")

    def allowed(self) -> frozenset[str]:
        if self.decided:
            return frozenset(["exact", "holds"] if self.has else ["broken"])
        return frozenset(["undecided", "not measured", *(["exact", "holds"] if self.has else ["broken"])])


class After(nn.Module):
    """A function of what a net makes of x, and of x."""

    def __init__(self, after: Callable[[Tensor, Tensor], Any], inner: nn.Module | None = None) -> None:
        super().__init__()
        self.inner, self.after = inner or pooled(convolutions()), after

    def forward(self, x: Tensor) -> Any:
        return self.after(self.inner(x), x)


class Kept(nn.Module):
    """Returns the same memory in each call, as CUDA graphs and bound outputs do."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.memory = inner, {}

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        return self.memory.setdefault((y.shape, y.dtype), torch.empty_like(y)).copy_(y)


class Autocast(nn.Module):
    """In bfloat16 inside, float32 outside."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.inner(x).float()


class Loose(nn.Module):
    """Linear over the pixels, on top of a large constant: each place counts for itself."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.inner, self.offset = nn.Linear(768, 5), offset

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.flatten(1)) + self.offset


class Unmasked(nn.Module):
    """Attention over token embeddings, with or without a causal mask; with dropout if asked."""

    def __init__(self, causal: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens, self.qkv, self.head = nn.Embedding(13, 32), nn.Linear(32, 96), nn.Linear(32, 7)
        self.causal, self.dropout = causal, dropout
        nn.init.normal_(self.qkv.weight, std=0.3)

    def forward(self, ids: Tensor) -> Tensor:
        h = self.tokens(ids)
        q, k, v = self.qkv(h).chunk(3, -1)
        scores = q @ k.mT / 32**0.5
        if self.causal:
            scores = scores.masked_fill(torch.ones_like(scores[0]).triu(1).bool(), float("-inf"))
        return self.head(functional.dropout(h + scores.softmax(-1) @ v, self.dropout, training=self.dropout > 0))


class LastNode(nn.Module):
    """Mean over neighbors, but the last node of a call keeps what it had: one node of many."""

    def __init__(self, faulty: bool) -> None:
        super().__init__()
        self.layer, self.faulty = nn.Linear(4, 5), faulty

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.layer(x)
        out = torch.zeros_like(h).index_reduce(0, edge_index[1], h[edge_index[0]], "mean", include_self=False)
        return torch.cat([out[:-1], h[-1:]]) if self.faulty else out


def large_graphs(seed: int, dtype: torch.dtype) -> Any:
    """Six graphs of 1500 nodes."""
    from erlangen.auditing.inputs import generated

    return [type(g)(g.x.to(dtype), g.edge_index) for g in generated("graphs", (1500, 4), 6, seed=seed)]


def bright(seed: int, dtype: torch.dtype) -> Tensor:
    """Two groups of pictures whose class is clear."""
    x = noise(seed, torch.float64, 24)
    return (x + torch.where(torch.arange(24) % 2 == 0, 2.0, -2.0).double()[:, None, None, None]).to(dtype)


def steady(y: Tensor, x: Tensor) -> Tensor:
    """A class by brightness, which no shift changes."""
    return torch.stack([x.mean((1, 2, 3)), -x.mean((1, 2, 3))], 1)


def fickle(y: Tensor, x: Tensor) -> Tensor:
    """A class by one pixel, which a shift changes."""
    return torch.stack([x[:, 0, 3, 3], x[:, 1, 8, 8]], 1)


PAIRS: list[tuple[str, str, Make, Make]] = [  # name, check, a model that has the symmetry, one that lacks it
    ("buffer returned", "translation", lambda: Kept(pooled(convolutions())), lambda: Kept(Loose(0))),
    ("buffer returned, reflection", "reflection", lambda: Kept(After(steady)), lambda: Kept(Loose(0))),
    ("offset 10", "translation", lambda: After(lambda y, x: y + 10), lambda: Loose(10)),
    ("offset 100", "translation", lambda: After(lambda y, x: y + 100), lambda: Loose(100)),
    ("offset 3e5", "translation", lambda: After(lambda y, x: y + 3e5), lambda: Loose(3e5)),
    (
        "offset 3e5, scaled",
        "translation",
        lambda: After(lambda y, x: 1e-3 * (y + 3e5)),
        lambda: After(lambda y, x: 1e-3 * (y + 3e5), Loose(0)),
    ),
    ("plain", "translation", lambda: pooled(convolutions()), lambda: Loose(0)),
    ("plain, turns", "quarter-turns", lambda: After(steady), lambda: pooled(convolutions())),
    (
        "zero padding",
        "translation",
        lambda: pooled(convolutions()),
        lambda: nn.Sequential(*convolutions("zeros"), nn.Flatten(), nn.Linear(2048, 5)),
    ),
    ("autocast", "translation", lambda: Autocast(pooled(convolutions())), lambda: Autocast(Loose(0))),
    (
        "autocast, offset",
        "translation",
        lambda: Autocast(After(lambda y, x: y + 1)),
        lambda: Autocast(After(lambda y, x: 8 * y + 1, Loose(0))),
    ),
    ("autocast, turns", "reflection", lambda: Autocast(After(steady)), lambda: Autocast(Loose(0))),
    ("small scale", "translation", lambda: After(lambda y, x: 1e-3 * y), lambda: After(lambda y, x: 1e-3 * y, Loose(0))),
    (
        "complex, imaginary part",
        "translation",
        lambda: After(lambda y, x: torch.complex(y.float(), -y.float())),
        lambda: After(lambda y, x: torch.complex(y.float(), x[:, 0, :1, :5].flatten(1).float())),
    ),
    (
        "complex map",
        "translation",
        lambda: After(lambda y, x: torch.fft.fft2(torch.fft.ifft2(x.float())), nn.Identity()),
        lambda: After(lambda y, x: torch.fft.fft2(x.float()), nn.Identity()),
    ),
    (
        "complex, one number",
        "translation",
        lambda: After(lambda y, x: torch.complex(y.float(), y.float())[:, 0]),
        lambda: After(lambda y, x: torch.complex(y.float()[:, 0], x[:, 0, 0, 0].float())),
    ),
    ("booleans", "translation", lambda: After(lambda y, x: steady(y, x) > 0.5), lambda: After(lambda y, x: fickle(y, x) > 0)),
    (
        "one boolean",
        "translation",
        lambda: After(lambda y, x: steady(y, x)[:, 0] > 0.5),
        lambda: After(lambda y, x: fickle(y, x)[:, 0] > 0),
    ),
    (
        "class ids",
        "translation",
        lambda: After(lambda y, x: steady(y, x).argmax(1)),
        lambda: After(lambda y, x: fickle(y, x).argmax(1)),
    ),
    (
        "class ids beside a thousand",
        "translation",
        lambda: After(lambda y, x: torch.stack([steady(y, x).argmax(1), 1000 * steady(y, x).argmax(1)], 1)),
        lambda: After(lambda y, x: torch.stack([fickle(y, x).argmax(1), 1000 * steady(y, x).argmax(1)], 1)),
    ),
    (
        "class ids of pixels",
        "translation",
        lambda: After(lambda y, x: y.argmax(1, keepdim=True), convolutions()),
        lambda: After(lambda y, x: y.argmax(1, keepdim=True).flip(-1), convolutions()),
    ),
    (
        "common part of logits",
        "translation",
        lambda: After(lambda y, x: steady(y, x) + 50 * x.mean((1, 2, 3))[:, None]),
        lambda: After(lambda y, x: fickle(y, x) + 50 * x.mean((1, 2, 3))[:, None]),
    ),
    (
        "common part of logits, 3 classes",
        "translation",
        lambda: After(lambda y, x: torch.cat([steady(y, x), 0 * y[:, :1]], 1) + 90 * x.mean((1, 2, 3))[:, None]),
        lambda: After(lambda y, x: torch.cat([fickle(y, x), 0 * y[:, :1]], 1) + 90 * x.mean((1, 2, 3))[:, None]),
    ),
    (
        "saturated softmax",
        "translation",
        lambda: After(lambda y, x: (40 * steady(y, x)).softmax(1)),
        lambda: After(lambda y, x: (40 * fickle(y, x)).softmax(1)),
    ),
    (
        "pixels and a score",
        "translation",
        lambda: After(lambda y, x: torch.cat([200 * steady(y, x), y[:, :1]], 1)),
        lambda: After(lambda y, x: torch.cat([200 * steady(y, x), x[:, 0, 3, 3:4]], 1)),
    ),
    (
        "many columns and a score",
        "translation",
        lambda: After(lambda y, x: torch.cat([50 * steady(y, x).repeat(1, 20), y[:, :1]], 1)),
        lambda: After(lambda y, x: torch.cat([50 * steady(y, x).repeat(1, 20), x[:, 0, 3, 3:4]], 1)),
    ),
    (
        "mean over large batches",
        "batch-composition",
        lambda: pooled(convolutions()),
        lambda: After(lambda y, x: y + 5 * y.mean(0) if len(x) > 8 else y),
    ),
    (
        "maximum over large batches",
        "batch-composition",
        lambda: pooled(convolutions()),
        lambda: After(lambda y, x: y / y.abs().amax() if len(x) > 8 else y),
    ),
    (
        "scale of the batch (int8)",
        "batch-composition",
        lambda: pooled(convolutions()),
        lambda: After(lambda y, x: (y / y.abs().amax() * 7).round() / 7 * y.abs().amax()),
    ),
    ("order of the batch", "batch-composition", lambda: pooled(convolutions()), lambda: After(lambda y, x: y.cumsum(0))),
    ("first of the batch", "batch-composition", lambda: pooled(convolutions()), lambda: After(lambda y, x: y + y[:1])),
    ("size of the batch", "batch-size", lambda: pooled(convolutions()), lambda: After(lambda y, x: y * len(x))),
    ("alone", "batch-size", lambda: pooled(convolutions()), lambda: After(lambda y, x: -y if len(x) == 1 else y)),
    (
        "another kernel alone",
        "batch-composition",
        lambda: After(lambda y, x: y * (1 + 5e-5) if len(x) == 1 else y),
        lambda: After(lambda y, x: y - y.mean(0)),
    ),
    (
        "kernel by size",
        "batch-size",
        lambda: After(lambda y, x: y * (1 + 5e-5 / len(x))),
        lambda: After(lambda y, x: y / len(x) ** 0.5),
    ),
    (
        "float32 path",
        "translation",
        lambda: pooled(convolutions()),
        lambda: After(lambda y, x: y + x[:, 0, 3, 3:4] * (x.dtype != torch.float64)),
    ),
    (
        "float32 path, weak",
        "reflection",
        lambda: After(steady),
        lambda: After(lambda y, x: steady(y, x) + (x[:, 0, 3, 3:4] * x.new_tensor([1.0, -1.0])) * (x.dtype != torch.float64)),
    ),
    ("dropout left on", "repeat", lambda: pooled(convolutions()), lambda: After(lambda y, x: functional.dropout(y, 0.1))),
    ("noise", "repeat", lambda: pooled(convolutions()), lambda: After(lambda y, x: y + 0.05 * torch.randn_like(y))),
    ("state", "repeat", lambda: pooled(convolutions()), lambda: Counted()),
]


class Counted(nn.Module):
    """Every second call is turned around."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.calls = pooled(convolutions()), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) * (-1) ** self.calls


TEXTS: list[tuple[str, str, Make, Make]] = [
    ("no mask", "causality", lambda: Unmasked(True), lambda: Unmasked(False)),
    ("dropout left on", "repeat", lambda: Unmasked(True), lambda: Unmasked(True, 0.1)),
    ("deep, no mask", "causality", lambda: Attention(lambda i, j: j <= i), lambda: Attention(lambda i, j: j <= i + 40)),
    ("off by one", "causality", lambda: Attention(lambda i, j: j <= i), lambda: Attention(lambda i, j: j <= i + 1)),
]
GRAPHS: list[tuple[str, str, Make, Make]] = [
    ("the last node", "node-permutation", lambda: LastNode(False), lambda: LastNode(True)),
]
PRECISIONS = (torch.float32, torch.float64, torch.bfloat16)
EIGHT_BITS = ("complex map", "scale of the batch (int8)", "another kernel alone")
ROUNDED = (
    "mean over large batches",
    "maximum over large batches",
    "pixels and a score",
    "many columns and a score",
    "common part of logits, 3 classes",
)
OPEN = {  # (name, dtype, hidden) -> why arithmetic does not decide
    **{
        ("offset 3e5", d, h): "steps of 3e5 are wider than the spread"
        for d in (torch.float32, torch.bfloat16)
        for h in (True, False)
    },
    **{("offset 3e5, scaled", d, h): "the same" for d in (torch.float32, torch.bfloat16) for h in (True, False)},
    **{(f"offset {n}", torch.bfloat16, h): "bfloat16 has 8 bits" for n in (10, 100) for h in (True, False)},
    **{(name, torch.bfloat16, h): "bfloat16 has 8 bits" for name in ROUNDED for h in (True, False)},
    **{(name, torch.bfloat16, True): "bfloat16, and no twin" for name in EIGHT_BITS},
    **{("autocast, offset", d, h): "bfloat16 inside" for d in PRECISIONS for h in (True, False)},
}


def questions() -> Iterator[Question]:
    """All of them."""
    for pairs, domain, default in ((PAIRS, "images", noise), (TEXTS, "texts", sentences), (GRAPHS, "graphs", large_graphs)):
        for name, check, right, wrong in pairs:
            clear = any(word in name for word in ("class", "common", "softmax", "score", "float32 path"))
            inputs = bright if clear else default
            for dtype in PRECISIONS:
                for hidden in (False, True):
                    for has, make in ((True, right), (False, wrong)):
                        if name.startswith("float32 path") and dtype == torch.float64 and not has:
                            continue  # there it is right
                        decided = (name, dtype, hidden) not in OPEN
                        yield Question(name, check, has, make, inputs, dtype, hidden, decided, domain)


QUESTIONS = list(questions())
