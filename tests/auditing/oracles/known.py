"""Models whose answer is known, with what an audit has to say of each: the oracle of `test_known.py`.

A line a model says why the answer is what it is. `exact`, `broken`, `holds` and `not measured` are the judgments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.auditing.inputs import generated
from erlangen.symmetries.graph import Graph

VOCABULARY, WIDTH = 20, 16


@dataclass(frozen=True)
class Case:
    """build makes the model from the seed set before it; expected has the judgment of each check by its name."""

    name: str
    domain: str
    build: Callable[[], Callable[..., Any]]
    expected: dict[str, str]
    shape: tuple[int, ...] = ()
    change: Callable[[Any], Any] = field(default=lambda x: x)
    n: int = 32
    single: bool = True  # whether it makes sense in float32 as well as in float64
    sure: dict[str, str] = field(default_factory=lambda: {"repeat": "exact", "batch-composition": "exact"})


class Apply(nn.Module):
    """A function of its input and its parts: short models on a line."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


class GraphNet(nn.Module):
    """As Apply, for f(x, edge_index)."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.function(x, edge_index, *self.parts)


class PooledGraphNet(nn.Module):
    """One answer a graph: told where each graph ends."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.layer, self.how = nn.Linear(4, 5), how

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        h = aggregated(self.layer(x), edge_index).tanh()
        size = int(batch.max()) + 1
        return h.new_zeros(size, 5).index_reduce(0, batch, h, self.how, include_self=False)


class Language(nn.Module):
    """Attention layers over token embeddings; `mask`: causal, none, or a leak; `positions`: none, absolute, rotary."""

    def __init__(self, depth: int = 2, mask: str = "causal", positions: str = "none", pool: bool = False) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(64, WIDTH)
        self.layers = nn.ModuleList(nn.Linear(WIDTH, 3 * WIDTH) for _ in range(depth))
        self.head, self.mask, self.positions, self.pool = nn.Linear(WIDTH, 7), mask, positions, pool

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None) -> Tensor:
        length = ids.shape[1]
        if position_ids is None:
            counted = torch.ones_like(ids) if attention_mask is None or self.positions == "wrong" else attention_mask
            position_ids = (counted.cumsum(1) - 1).clamp(min=0)
        h = self.embed(ids)
        if self.positions in ("absolute", "wrong"):
            h = h + self.place(position_ids)
        seen = torch.ones(length, length, dtype=torch.bool, device=ids.device)
        if self.mask != "none":
            seen = seen.tril(1 if self.mask == "off by one" else 0)
        if self.mask == "one leak" and length > 4:
            seen[3, 4] = True
        seen = seen.expand(len(ids), -1, -1)
        if attention_mask is not None and self.positions != "deaf":
            seen = seen & (attention_mask[:, None, :] != 0)
        seen = seen | torch.eye(length, dtype=torch.bool, device=ids.device)
        for layer in self.layers:
            q, k, v = layer(h).chunk(3, -1)  # (B, T, C)
            if self.positions == "rotary":
                q, k = turned(q, position_ids), turned(k, position_ids)
            h = h + (q @ k.mT / WIDTH**0.5).masked_fill(~seen, float("-inf")).softmax(-1) @ v
        if self.mask == "faint leak":
            h = h + 1e-9 * h.mean(1, keepdim=True)
        y = self.head(h)
        return y.mean(1) if self.pool else y


def turned(x: Tensor, position: Tensor) -> Tensor:
    """Rotary: each pair of features turned by its own angle a position."""
    rate = 100.0 ** -(torch.arange(WIDTH // 2, dtype=x.dtype, device=x.device) / (WIDTH // 2))
    angle = position[..., None] * rate  # (B, T, C/2)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


def aggregated(h: Tensor, edge_index: Tensor, how: str = "sum") -> Tensor:
    source, target = edge_index
    zero = torch.zeros_like(h)
    if how == "sum":
        return zero.index_add(0, target, h[source]) + h
    return zero.index_reduce(0, target, h[source], "amax", include_self=False) + h


def first_neighbor(x: Tensor, edge_index: Tensor, layer: nn.Module) -> Tensor:
    """Each node's first edge in the list counts: depends on the order of edges."""
    h = layer(x)
    first = edge_index.new_zeros(len(x))
    for source, target in reversed(edge_index.T.tolist()):
        first[target] = source
    return h + h[first]


def conv(width: int, out: int, padding: str = "circular", stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width, out, 3, stride, 1, padding_mode=padding)


def pooled(*body: nn.Module) -> nn.Module:
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Averaged(nn.Module):
    """The mean over a finite group of what a network says: invariant under the group, by Haar."""

    def __init__(self, mirror: bool, turn: bool) -> None:
        super().__init__()
        self.inner, self.mirror, self.turn = (
            nn.Sequential(nn.Flatten(), nn.Linear(432, 16), nn.ReLU(), nn.Linear(16, 4)),
            mirror,
            turn,
        )

    def forward(self, x: Tensor) -> Tensor:
        images = [torch.rot90(x, k, (-2, -1)) for k in range(4 if self.turn else 1)]
        images += [image.flip(-1) for image in images] if self.mirror else []
        return sum(self.inner(image) for image in images) / len(images)  # type: ignore[return-value]


class Standardized(nn.Module):
    """Each image by its own mean and deviation: blind to brightness and contrast."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(3 * 144, 4))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return self.inner((x - flat.mean(1)[:, None, None, None]) / flat.std(1)[:, None, None, None])


class Counter(nn.Module):
    """Remembers how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.calls = pooled(conv(3, 4)), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) + 0.1 * self.calls


class Raises(nn.Module):
    """Refuses upside-down images: raises for one element only."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = pooled(conv(3, 6), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        if float((x[:, :, 0] - x[:, :, -1]).mean()) > 0.4:
            raise ValueError("the sky must be above")
        return self.inner(x)


class Inside(nn.Module):
    """Casts to float32 inside, as rotary tables and norms do."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = pooled(conv(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.float().to(self.inner[0].weight.dtype)).float()


def tilted(images: Tensor) -> Tensor:
    """Brighter below: an image that can stand on its head."""
    return images + torch.linspace(-1, 1, images.shape[-2])[:, None]


def shifted_means(images: Tensor) -> Tensor:
    """Images of unlike brightness: a linear net that pools sees nothing else."""
    return images + torch.linspace(-0.5, 0.5, len(images))[:, None, None, None]


IMAGE = (3, 12, 12)
NOTHING = {"repeat": "not measured", "batch-composition": "not measured"}


def cases() -> list[Case]:
    """All of them."""
    image = [
        (
            "circular, pooled",
            lambda: pooled(conv(3, 6), nn.ReLU(), conv(6, 4)),
            {"translation": "exact", "translation-zeros": "exact"},
        ),
        (
            "circular, max pooled",
            lambda: nn.Sequential(conv(3, 6), nn.AdaptiveMaxPool2d(1), nn.Flatten()),
            {"translation": "exact"},
        ),
        (
            "zero padded, untrained",
            lambda: pooled(conv(3, 6, "zeros"), nn.ReLU(), conv(6, 4, "zeros")),
            {"translation": "broken"},
        ),
        ("replicate", lambda: pooled(conv(3, 6, "replicate"), nn.ReLU(), conv(6, 4, "replicate")), {"translation": "broken"}),
        ("flattened", lambda: nn.Sequential(conv(3, 4), nn.Flatten(), nn.Linear(4 * 144, 4)), {"translation": "broken"}),
        (
            "circular, strided, not pooled",
            lambda: nn.Sequential(conv(3, 4, stride=2), nn.ReLU(), nn.Flatten()),
            {"translation": "broken"},
        ),
        ("map, circular", lambda: nn.Sequential(conv(3, 4), nn.ReLU(), conv(4, 2)), {"translation": "exact"}),
        (
            "map, strided: moves by whole strides",
            lambda: nn.Sequential(conv(3, 4, stride=2), nn.ReLU(), conv(4, 2)),
            {"translation": "exact"},
        ),
        (
            "map, zero padded",
            lambda: nn.Sequential(conv(3, 4, "zeros"), nn.ReLU(), conv(4, 2, "zeros")),
            {"translation": "broken"},
        ),
        (
            "pixelwise map",
            lambda: nn.Conv2d(3, 2, 1),
            {"translation": "exact", "quarter-turns": "exact", "reflection": "exact", "intensity": "broken"},
        ),
        ("mean over C4", lambda: Averaged(mirror=False, turn=True), {"quarter-turns": "exact", "reflection": "broken"}),
        (
            "mean over D4",
            lambda: Averaged(mirror=True, turn=True),
            {"quarter-turns": "exact", "reflection": "exact", "translation": "broken"},
        ),
        ("mean over mirrors", lambda: Averaged(mirror=True, turn=False), {"quarter-turns": "broken", "reflection": "exact"}),
        (
            "channel mean",
            lambda: Apply(lambda x, f: f(x.mean(1, keepdim=True)), pooled(conv(1, 6), nn.ReLU(), conv(6, 4))),
            {"channel-permutation": "exact", "intensity": "broken"},
        ),
        ("color matters", lambda: pooled(conv(3, 6), nn.ReLU(), conv(6, 4)), {"channel-permutation": "broken"}),
        ("standardized", Standardized, {"intensity": "exact", "translation": "broken"}),
        ("float32 inside", Inside, {"translation": "exact"}),
        (
            "tiny weights",
            lambda: Apply(lambda x, f: 1e-12 * f(x), pooled(conv(3, 4), nn.ReLU(), conv(4, 4))),
            {"translation": "exact", "intensity": "broken"},
        ),
        ("tuple output", lambda: Apply(lambda x, f: (f(x), x), pooled(conv(3, 4))), {"translation": "exact"}),  # type: ignore[arg-type,return-value]
    ]
    found = [Case(name, "images", build, expected, IMAGE, change=shifted_means) for name, build, expected in image]
    found += [
        Case(
            "huge bias, float64",
            "images",
            lambda: Apply(lambda x, f: f(x) + 1e6, pooled(conv(3, 4), nn.ReLU(), conv(4, 4))),
            {"translation": "exact", "intensity": "broken"},
            IMAGE,
            shifted_means,
            single=False,
        ),
        Case(
            "random",
            "images",
            lambda: Apply(lambda x: x.mean((-2, -1)) + torch.randn(len(x), 3, device=x.device)),
            {"translation": "not measured"},
            IMAGE,
            sure={"repeat": "broken", "batch-composition": "not measured"},
        ),
        Case(
            "dropout on",
            "images",
            lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * 144, 4)).train(),
            {"translation": "not measured"},
            IMAGE,
            sure={"repeat": "broken", "batch-composition": "not measured"},
        ),
        Case(
            "remembers",
            "images",
            Counter,
            {"translation": "not measured"},
            IMAGE,
            shifted_means,
            sure={"repeat": "broken", "batch-composition": "not measured"},
        ),
        Case(
            "batch norm, training",
            "images",
            lambda: pooled(conv(3, 4), nn.BatchNorm2d(4)).train(),
            {},
            IMAGE,
            shifted_means,
            sure={"repeat": "exact", "batch-composition": "broken"},
        ),
        Case(
            "batch norm, eval",
            "images",
            lambda: pooled(conv(3, 4), nn.BatchNorm2d(4)).eval(),
            {"translation": "exact"},
            IMAGE,
            shifted_means,
        ),
        Case(
            "centered over the batch",
            "images",
            lambda: Apply(lambda x, f: f(x) - f(x).mean(0), pooled(conv(3, 4))),
            {},
            IMAGE,
            shifted_means,
            sure={"repeat": "exact", "batch-composition": "broken"},
        ),
        Case(
            "NaN",
            "images",
            lambda: Apply(lambda x: x.mean((-2, -1)) / 0 * 0),
            {"translation": "not measured"},
            IMAGE,
            sure=NOTHING,
        ),
        Case(
            "constant",
            "images",
            lambda: Apply(lambda x: x.new_ones(len(x), 3) + 0 * x.sum()),
            {"translation": "not measured"},
            IMAGE,
            sure=NOTHING,
        ),
        Case(
            "saturated",
            "images",
            lambda: Apply(lambda x, f: torch.sigmoid(f(x) + 60), pooled(conv(3, 4))),
            {"translation": "not measured"},
            IMAGE,
            sure=NOTHING,
        ),
        Case("raises for some", "images", Raises, {"quarter-turns": "broken"}, IMAGE, tilted),
        Case(
            "a plain function",
            "images",
            lambda: lambda x: x.amax((-2, -1)),
            {"translation": "exact", "reflection": "exact", "intensity": "broken"},
            IMAGE,
        ),
        Case(
            "one image, a vector", "images", lambda: pooled(conv(3, 4)), {"translation": "not measured"}, IMAGE, n=1, sure=NOTHING
        ),
        Case(
            "constant images: nothing moves",
            "images",
            lambda: pooled(conv(3, 4)),
            {"translation": "not measured"},
            IMAGE,
            lambda x: torch.arange(float(len(x)))[:, None, None, None].expand(-1, *IMAGE).clone(),
        ),
    ]
    text = [
        (
            "causal, no positions, depth 2",
            lambda: Language(),
            {"causality": "exact", "token-permutation": "broken", "position-shift": "exact", "left-padding": "exact"},
        ),
        ("set of tokens", lambda: Language(mask="none"), {"causality": "broken", "token-permutation": "exact"}),
        ("set of tokens, pooled", lambda: Language(mask="none", pool=True), {"token-permutation": "exact"}),
        (
            "absolute positions",
            lambda: Language(positions="absolute"),
            {"position-shift": "broken", "left-padding": "exact", "causality": "exact"},
        ),
        ("positions from the row's start", lambda: Language(positions="wrong"), {"left-padding": "broken", "causality": "exact"}),
        (
            "rotary",
            lambda: Language(positions="rotary"),
            {"position-shift": "exact", "left-padding": "exact", "token-permutation": "broken"},
        ),
        ("deaf to the mask", lambda: Language(positions="deaf"), {"left-padding": "broken"}),
        ("one off", lambda: Language(mask="off by one", depth=1), {"causality": "broken"}),
        ("one position leaks", lambda: Language(mask="one leak", depth=1), {"causality": "broken"}),
        ("a faint leak", lambda: Language(mask="faint leak"), {"causality": "broken"}),
        (
            "a bag of embeddings",
            lambda: Apply(lambda ids, f: f(ids).sum(1), nn.Embedding(VOCABULARY, 5)),
            {"token-permutation": "exact"},
        ),
    ]
    found += [Case(name, "texts", build, expected, (9,)) for name, build, expected in text]
    graph = [
        (
            "sum over neighbors",
            lambda: GraphNet(lambda x, e, f: aggregated(f(x), e).tanh(), nn.Linear(4, 5)),
            {"node-permutation": "exact", "edge-order": "exact", "isolated-node": "exact", "duplicate-edges": "broken"},
        ),
        (
            "maximum over neighbors",
            lambda: GraphNet(lambda x, e, f: aggregated(f(x), e, "max"), nn.Linear(4, 5)),
            {"node-permutation": "exact", "edge-order": "exact", "duplicate-edges": "exact"},
        ),
        (
            "cumulative sum over nodes",
            lambda: GraphNet(lambda x, e, f: aggregated(f(x).cumsum(0), e), nn.Linear(4, 5)),
            {"node-permutation": "broken"},
        ),
        ("the first neighbor listed", lambda: GraphNet(first_neighbor, nn.Linear(4, 5)), {"edge-order": "broken"}),
    ]
    found += [Case(name, "graphs", build, expected, (9, 4), sure={"repeat": "exact"}) for name, build, expected in graph]  # type: ignore[arg-type]
    found += [
        Case(
            "normed over all nodes of a call",
            "graphs",
            lambda: GraphNet(lambda x, e, f: F.normalize(aggregated(f(x), e), dim=0), nn.Linear(4, 5)),
            {"node-permutation": "exact", "isolated-node": "holds"},
            (9, 4),
            n=64,  # 32 leave it open for some seeds, since the errors of single graphs scatter
            sure={"repeat": "exact", "batch-composition": "broken"},
        ),
        Case(
            "pooled by graph: sum of means",
            "graphs",
            lambda: PooledGraphNet("mean"),
            {"node-permutation": "exact", "edge-order": "exact"},
            (9, 4),
        ),
        Case(
            "pooled by graph: max",
            "graphs",
            lambda: PooledGraphNet("amax"),
            {"node-permutation": "exact", "edge-order": "exact"},
            (9, 4),
        ),
        Case(
            "one graph, its nodes",
            "graphs",
            lambda: GraphNet(lambda x, e, f: aggregated(f(x), e), nn.Linear(4, 5)),
            {"node-permutation": "exact"},
            (9, 4),
            n=1,
        ),
    ]

    def distances(x: Tensor) -> Tensor:
        return (x[:, :, None] - x[:, None]).square().sum(-1)

    point = [
        (
            "distances, sorted",
            lambda: Apply(lambda x: distances(x).flatten(1).sort(1).values),
            dict.fromkeys(("point-permutation", "point-rotation", "point-translation"), "exact"),
        ),
        (
            "mean of coordinates",
            lambda: Apply(lambda x: x.mean(1)),
            {"point-permutation": "exact", "point-rotation": "broken", "point-translation": "broken"},
        ),
        (
            "deep set",
            lambda: Apply(lambda x, f: f(x).tanh().sum(1), nn.Linear(3, 6)),
            {"point-permutation": "exact", "point-rotation": "broken"},
        ),
        (
            "a row a point",
            lambda: Apply(lambda x, f: f(x), nn.Linear(3, 6)),
            {"point-permutation": "exact", "point-translation": "broken"},
        ),
        ("flattened", lambda: Apply(lambda x, f: f(x.flatten(1)), nn.Linear(21, 6)), {"point-permutation": "broken"}),
        (
            "centered, flattened",
            lambda: Apply(lambda x, f: f((x - x.mean(1, keepdim=True)).flatten(1)), nn.Linear(21, 6)),
            {"point-translation": "exact", "point-rotation": "broken"},
        ),
    ]
    found += [Case(name, "points", build, expected, (7, 3)) for name, build, expected in point]

    def wave(padding: str, stride: int = 1) -> nn.Module:
        return nn.Conv1d(2, 4, 3, stride, 1, padding_mode=padding)

    series = [
        ("circular, pooled", lambda: Apply(lambda x, f: f(x).relu().mean(-1), wave("circular")), {"time-shift": "exact"}),
        ("zero padded, pooled", lambda: Apply(lambda x, f: f(x).relu().mean(-1), wave("zeros")), {"time-shift": "broken"}),
        ("circular, a row a time", lambda: Apply(lambda x, f: f(x).relu(), wave("circular")), {"time-shift": "exact"}),
        ("circular, strided", lambda: Apply(lambda x, f: f(x).relu(), wave("circular", 2)), {"time-shift": "exact"}),
        ("running sum", lambda: Apply(lambda x: x.cumsum(-1)), {"time-shift": "broken"}),
    ]
    return found + [Case(name, "series", build, expected, (2, 16)) for name, build, expected in series]


def inputs_of(case: Case, seed: int, dtype: torch.dtype) -> list[Any]:
    """The case's inputs, in its precision."""
    made = generated(case.domain, case.shape, case.n, VOCABULARY, seed + 100)
    if case.domain == "texts":
        return made
    if case.domain == "graphs":
        return [Graph(graph.x.to(dtype), graph.edge_index) for graph in made]
    return list(case.change(torch.stack(made)).to(dtype))
