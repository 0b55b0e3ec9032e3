"""Mechanisms that look alike from outside: for each one that is right, a near twin that is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, HOLDS, Case, served
from auditing.oracles.several_outputs import VOCABULARY, Net, circular, graphs, images, points, texts
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

NEAR = frozenset([EXACT, HOLDS])  # steps that rounding can cross
LARGE = frozenset([BROKEN, "undecided"])  # by an amount that scatters over the inputs
RARE = 7  # a token
Call = Callable[..., Any]
Kind = tuple[Mapping[str, Any], Call]  # what is right, and forward(s, inputs)


def of_images(name: str, kind: Kind) -> Case:
    """s.body: (B, 3, H, W) -> (B, 12, H, W), which keeps circular shifts; s.head: 12 -> 4."""

    def build(dtype: torch.dtype) -> nn.Module:
        return served(Net(kind[1], body=nn.Sequential(circular(3, 12), nn.ReLU()), head=nn.Linear(12, 4)), dtype)

    return Case(name=f"mechanisms: {name}", domain="images", build=build, inputs=images, expected=kind[0])


def of_texts(name: str, kind: Kind) -> Case:
    """s.embed: (B, T) -> (B, T, 8); s.head: 8 -> tokens; s.experts."""

    def build(dtype: torch.dtype) -> nn.Module:
        experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        layers = {"embed": nn.Embedding(64, 8), "head": nn.Linear(8, VOCABULARY), "gate": nn.Linear(8, 3), "experts": experts}
        return served(Net(kind[1], **layers), dtype)

    return Case(name=f"mechanisms: {name}", domain="texts", build=build, inputs=texts, expected=kind[0])


def of_points(name: str, kind: Kind) -> Case:
    def build(dtype: torch.dtype) -> nn.Module:
        return served(Net(kind[1], each=nn.Linear(3, 8), head=nn.Linear(8, 4)), dtype)

    return Case(name=f"mechanisms: {name}", domain="points", build=build, inputs=points, expected=kind[0])


def pooled(s: Any, x: Tensor) -> Tensor:
    """(B, 4)"""
    return s.head(s.body(x).mean((2, 3)))  # type: ignore[no-any-return]


def dropped(s: Any, x: Tensor, by_row: bool) -> Tensor:
    """Dropout that was left on, with a seed of its own: the same channels for all, or others for each place in the batch."""
    h = s.body(x).mean((2, 3))
    drawn = torch.rand(h.shape if by_row else h.shape[1:], generator=torch.Generator().manual_seed(7), device="cpu")
    return s.head(h * (drawn > 0.3).to(h.device))  # type: ignore[no-any-return]


def quantized(y: Tensor, scale: Tensor) -> Tensor:
    return (y / scale).round() * scale


def in_order_of_brightness(s: Any, x: Tensor, restored: bool) -> Tensor:
    order = x.amax((1, 2, 3)).argsort()
    y = pooled(s, x[order])
    return y[order.argsort()] if restored else y


def balanced(y: Tensor) -> Tensor:
    """Columns, then rows, add up to 1, three times."""
    p = y.exp()
    for _ in range(3):
        p = p / p.sum(0, keepdim=True)
        p = p / p.sum(1, keepdim=True)
    return p


def spectral(s: Any, x: Tensor, ramp: bool) -> Tensor:
    """The lowest frequencies multiplied by fixed numbers, as a neural operator does."""
    waves = torch.fft.rfft2(s.body(x))
    kept = torch.zeros_like(waves)
    kept[..., :4, :4] = waves[..., :4, :4] * torch.linspace(0.5, 2, 16, device=x.device).view(4, 4).to(x)
    y = torch.fft.irfft2(kept, s=x.shape[-2:])
    return y * torch.linspace(1, 2, x.shape[-1], device=x.device).to(x) if ramp else y


def distribution(s: Any, x: Tensor, part: int) -> Normal:
    """With a scale from some of the columns of the image."""
    scale = s.body(x)[..., :part].mean((1, 2, 3))[:, None].exp().expand(-1, 4)
    return Normal(pooled(s, x), scale)


def covariance(x: Tensor, weight: Tensor | float) -> Tensor:
    """(B, 3, 3) of the channels."""
    flat = x.flatten(2) * weight
    flat = flat - flat.mean(-1, keepdim=True)
    return flat @ flat.mT / flat.shape[-1]


def brighter(x: Tensor) -> Tensor:
    """Weights of 144 pixels, (144,)"""
    return torch.linspace(0, 2, 144, device=x.device).to(x).square()


def window(s: Any, ids: Tensor, ahead: int) -> Tensor:
    """Attention to three tokens before, to the first one, and to some ahead."""
    h, places = s.embed(ids), torch.arange(ids.shape[1], device=ids.device)
    distance = places[:, None] - places
    seen = ((distance <= 3) & (distance >= -ahead)) | ((places == 0) & (distance >= 0))
    scores = (h @ h.mT).masked_fill(~seen, -torch.inf)
    return s.head(h + scores.softmax(-1) @ h)  # type: ignore[no-any-return]


def routed(s: Any, ids: Tensor, capacity: float) -> Tensor:
    """Each token goes to one of three experts, which serve a share of all tokens in the batch, first come, first served."""
    h = s.embed(ids).flatten(0, 1)
    chosen, y = s.gate(h).argmax(1), torch.zeros_like(h)
    for k, expert in enumerate(s.experts):
        members = (chosen == k).nonzero()[:, 0][: max(1, int(capacity * len(h)))]
        y[members] = expert(h[members])
    return s.head((h + y).view(*ids.shape, -1))  # type: ignore[no-any-return]


def halted(s: Any, ids: Tensor, total: bool) -> Tensor:
    """Silent once enough was read: up to here, or in the whole text."""
    h = s.embed(ids)
    weights = h[..., 0].sigmoid()
    read = weights.sum(1, keepdim=True) - 1.7 if total else weights.cumsum(1)
    return s.head(h * (read < 3)[..., None])  # type: ignore[no-any-return]


def merged(s: Any, ids: Tensor) -> Tensor:
    """Odd tokens look at the next one, as a merge of byte pairs would; the others at nothing."""
    h = s.embed(ids)
    return s.head(torch.where((ids % 2 == 1)[..., None], torch.cat([h[:, 1:], h[:, -1:]], 1), h))  # type: ignore[no-any-return]


def pairs(s: Any, ids: Tensor, ahead: bool) -> Tensor:
    """Hashed pairs of a token with the one before, or behind."""
    other = torch.cat([ids[:, 1:], ids[:, :1] * 0], 1) if ahead else torch.cat([ids[:, :1] * 0, ids[:, :-1]], 1)
    return s.head(s.embed((31 * other + ids) % 64))  # type: ignore[no-any-return]


def beside_rare(s: Any, ids: Tensor, step: int) -> Tensor:
    """A rare token, one of twenty, also sees the next token, or the one before."""
    h, places = s.embed(ids), torch.arange(ids.shape[1], device=ids.device)
    rare = (ids == RARE) & (places != (ids.shape[1] - 1 if step > 0 else 0))
    return s.head(h + rare[..., None] * h.roll(-step, 1))  # type: ignore[no-any-return]


def of_rare(s: Any, ids: Tensor, later: bool, next_only: bool = False) -> Tensor:
    """Each token is told of a rare one: before it or behind it, anywhere or next to it."""
    rare = ids == RARE
    counts = (rare.flip(1) if later else rare).cumsum(1).flip(1 if later else ()) - rare.long()
    counts = functional.pad(rare, (0, 1))[:, 1:] if next_only else counts
    return s.head(s.embed(ids) * (1 + (counts > 0))[..., None])  # type: ignore[no-any-return]


def repeats(s: Any, ids: Tensor, total: bool) -> Tensor:
    """Whether the first token comes again: so far, or in the whole text."""
    same = ids == ids[:, :1]
    often = same.sum(1, keepdim=True) if total else same.cumsum(1)
    return s.head(s.embed(ids) * (often > 1)[..., None])  # type: ignore[no-any-return]


def greedy(s: Any, ids: Tensor, leak: float) -> Tensor:
    """The best token at each position, as an id."""
    h = s.embed(ids).cumsum(1)
    return s.head(h + leak * h.mean(1, keepdim=True)).argmax(-1)  # type: ignore[no-any-return]


def farthest(s: Any, x: Tensor, first: bool) -> Tensor:
    """Four points far from each other, from the first in the list on, or from the one farthest from the mean."""
    y = []
    for cloud in x:
        away = (cloud[:, None] - cloud).norm(dim=-1)
        picked = [0 if first else int((cloud - cloud.mean(0)).norm(dim=1).argmax())]
        for _ in range(3):
            picked.append(int(away[picked].amin(0).argmax()))
        y.append(s.each(cloud[picked]).relu().mean(0))
    return s.head(torch.stack(y))  # type: ignore[no-any-return]


class Selection(nn.Module):
    """The mean of three nodes of each graph: those with the largest score, or the first ones."""

    def __init__(self, by_score: bool) -> None:
        super().__init__()
        self.layer, self.head, self.by_score = nn.Linear(4, 8), nn.Linear(8, 3), by_score

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        batch = edge_index.new_zeros(len(x)) if batch is None else batch
        h = self.layer(x + torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])).tanh()
        graphs = [h[batch == k] for k in range(int(batch.max()) + 1)]
        kept = [rows[rows.sum(1).topk(3).indices] if self.by_score else rows[:3] for rows in graphs]
        return self.head(torch.stack([rows.mean(0) for rows in kept]))  # type: ignore[no-any-return]


SHIFTED, ALONE, PAST, SET = ({name: EXACT} for name in ("translation", "batch-composition", "causality", "point-permutation"))
MOVED, MIXED, FUTURE, ORDER = ({name: BROKEN} for name in ("translation", "batch-composition", "causality", "point-permutation"))
IMAGES: dict[str, Kind] = {
    "seeded dropout of channels": (SHIFTED, lambda s, x: dropped(s, x, False)),
    "seeded dropout of places in the batch": (MIXED, lambda s, x: dropped(s, x, True)),
    "quantized by row": (ALONE, lambda s, x: quantized(y := pooled(s, x), y.abs().amax(1, keepdim=True) / 127)),
    "quantized by batch": (MIXED, lambda s, x: quantized(y := pooled(s, x), y.abs().amax() / 127)),
    "quantized in fixed steps": ({"translation": NEAR}, lambda s, x: quantized(pooled(s, x), x.new_tensor(0.01))),
    "sorted and put back": (SHIFTED, lambda s, x: in_order_of_brightness(s, x, True)),
    "sorted and left so": (MIXED, lambda s, x: in_order_of_brightness(s, x, False)),
    "softmax over classes": (ALONE, lambda s, x: pooled(s, x).softmax(1)),
    "softmax over the batch": (MIXED, lambda s, x: pooled(s, x).softmax(0)),
    "balanced over the batch": (MIXED, lambda s, x: balanced(pooled(s, x))),
    "the median of the batch": (MIXED, lambda s, x: (y := pooled(s, x)) - y.median(0).values),
    "lowest frequencies": (SHIFTED, lambda s, x: spectral(s, x, False)),
    "lowest frequencies on a ramp": (MOVED, lambda s, x: spectral(s, x, True)),
    "a distribution": (SHIFTED, lambda s, x: distribution(s, x, 12)),
    "a distribution, scaled by a part": (MOVED, lambda s, x: distribution(s, x, 5)),
    "a sparse map beside classes": (SHIFTED, lambda s, x: {"map": s.body(x).to_sparse(), "classes": pooled(s, x)}),
    "a covariance": (SHIFTED, lambda s, x: covariance(x, 1.0)),
    "a weighted covariance": ({"translation": LARGE}, lambda s, x: covariance(x, brighter(x))),
    "one class in one": (SHIFTED, lambda s, x: functional.one_hot(x.amax((2, 3)).argmax(1), 3).to(x)),
    "similarity within the batch": (SHIFTED, lambda s, x: {"z": (z := pooled(s, x)), "all": z @ z.mT}),
}
TEXTS: dict[str, Kind] = {
    "a window and the first token": (PAST, lambda s, ids: window(s, ids, 0)),
    "a window that reaches one ahead": (FUTURE, lambda s, ids: window(s, ids, 1)),
    "experts": (PAST | ALONE, lambda s, ids: routed(s, ids, 1)),
    "experts of a limited capacity": (MIXED, lambda s, ids: routed(s, ids, 0.15)),
    "silent after enough": (PAST, lambda s, ids: halted(s, ids, False)),
    "silent if there is enough": (FUTURE, lambda s, ids: halted(s, ids, True)),
    "merged with the next": (FUTURE, merged),
    "hashed pairs": (PAST, lambda s, ids: pairs(s, ids, False)),
    "hashed pairs ahead": (FUTURE, lambda s, ids: pairs(s, ids, True)),
    "the first token again": (PAST, lambda s, ids: repeats(s, ids, False)),
    "the first token again, anywhere": (FUTURE, lambda s, ids: repeats(s, ids, True)),
    "a rare token that looks back": (PAST, lambda s, ids: beside_rare(s, ids, -1)),
    "a rare token that looks ahead": (FUTURE, lambda s, ids: beside_rare(s, ids, 1)),
    "behind a rare token": (PAST, lambda s, ids: of_rare(s, ids, False)),
    "before a rare token": (FUTURE, lambda s, ids: of_rare(s, ids, True)),
    "right before a rare token": (FUTURE, lambda s, ids: of_rare(s, ids, True, next_only=True)),
    "best tokens": (PAST, lambda s, ids: greedy(s, ids, 0.0)),
    "best tokens of all": (FUTURE, lambda s, ids: greedy(s, ids, 3.0)),
}
POINTS: dict[str, Kind] = {
    "farthest points": (SET, lambda s, x: farthest(s, x, False)),
    "farthest points from the first": (ORDER, lambda s, x: farthest(s, x, True)),
    "sorted features": (SET, lambda s, x: s.head(s.each(x).sort(1).values[:, ::4].mean(1))),
    "sorted features, some in place": (ORDER, lambda s, x: s.head(s.each(x)[:, ::4].mean(1))),
}

CASES = [
    *(of_images(*entry) for entry in IMAGES.items()),
    *(of_texts(*entry) for entry in TEXTS.items()),
    *(of_points(*entry) for entry in POINTS.items()),
    *(
        Case(
            name=f"mechanisms: three nodes, {name}",
            domain="graphs",
            build=lambda dtype, by_score=by_score: served(Selection(by_score), dtype),
            inputs=graphs,
            expected={"node-permutation": right},
        )
        for name, by_score, right in (("the best", True, EXACT), ("the first", False, frozenset([BROKEN, "undecided"])))
    ),
]
