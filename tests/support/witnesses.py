"""Symmetries on inputs, with models that keep them and models that break them: what notices a fault in a symmetry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.causality import Causality
from erlangen.symmetries.channels import ChannelPermutation
from erlangen.symmetries.crop import CroppedTranslation
from erlangen.symmetries.duplicate_edges import DuplicateEdges
from erlangen.symmetries.edge_order import EdgeOrder
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.intensity import Intensity
from erlangen.symmetries.isolated_node import IsolatedNode
from erlangen.symmetries.left_padding import LeftPadding
from erlangen.symmetries.point_permutation import PointPermutation
from erlangen.symmetries.point_rotation import PointRotation
from erlangen.symmetries.point_translation import PointTranslation
from erlangen.symmetries.prefix_shift import PositionShift, PrefixShift
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.relabeling import Relabeling
from erlangen.symmetries.rotation import QuarterTurns, Rotation
from erlangen.symmetries.series_causality import SeriesCausality
from erlangen.symmetries.subpixel import SubpixelTranslation
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.time_shift import TimeShift
from erlangen.symmetries.token_permutation import TokenPermutation
from erlangen.symmetries.translation import Translation
from erlangen.testing import check_symmetry
from support.images import filters, image, net, tokens
from support.records import (
    BROKEN,
    EXACT,
    attention,
    convolved,
    deep_set,
    graph,
    noise,
    numbered,
    padded,
    points,
    pooled,
    series,
    text,
)

Model = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Witness:
    """A symmetry on an input; models that keep it, models that break it, and what is stated of the group for the laws."""

    symmetry: Symmetry
    x: Any
    keeps: Sequence[Model] = ()
    breaks: Sequence[Model] = ()
    stated: dict[str, Any] = field(default_factory=dict)
    only: Callable[[Any], bool] = lambda g: True  # elements that must notice it by themselves

    def hear(self) -> None:
        """Raises AssertionError if anything is wrong."""
        check_symmetry(self.symmetry, self.x, **self.stated)
        for f in self.keeps:
            for elements in self.used(f):
                errors = self.errors(f, elements)
                assert errors, "no element acts"
                assert max(errors) < EXACT
        for f in self.breaks:
            for elements in self.used(f):
                assert max(self.errors(f, elements), default=0) > BROKEN

    def used(self, f: Model) -> list[list[Any]]:
        fitted = self.symmetry.fitted(self.x, f(self.x))
        drawn = fitted.generators(self.x), fitted.elements(self.x, 12, np.random.default_rng(0))
        return [kept for elements in drawn if (kept := [g for g in elements if self.only(g)])]

    def errors(self, f: Model, elements: Sequence[Any]) -> list[float]:
        """Of what acts."""
        fitted, found = self.symmetry.fitted(self.x, f(self.x)), []
        for g in elements:
            pair = fitted.align(f(fitted.reference(self.x, g)), f(fitted.act(self.x, g)), g, self.x)
            if pair is not None:
                assert pair[0].shape == pair[1].shape
                assert pair[0].numel()
                found.append(float((pair[0] - pair[1]).abs().max()))
        return found


def ramp(x: Tensor) -> Tensor:
    return x * torch.linspace(1, 2, x.shape[-1], dtype=x.dtype)


def slope(x: Tensor) -> Tensor:
    return x * torch.linspace(1, 2, x.shape[-2], dtype=x.dtype)[:, None]


def valid(x: Tensor, stride: int = 1) -> Tensor:
    return functional.conv2d(x[None], filters(), stride=stride)[0].tanh()


def mirrored(x: Tensor, axis: int = -1) -> Tensor:
    weight = filters()
    return net(x, weight + weight.flip(axis), padding="zeros")


def corner_first(x: Tensor) -> Tensor:
    """Tokens with a pixel at a corner as their class token."""
    y = tokens(net(x, filters(), stride=2))
    return torch.cat([y[:1] + x[0, 0, 0], y[1:]])


def mean(y: Tensor) -> Tensor:
    return y.flatten(1).mean(1)


def in_time(x: Tensor, left: int = 1, right: int = 1, mode: str = "circular", stride: int = 1) -> Tensor:
    """A convolution along the series, (4, t)."""
    weight = noise(4, len(x), left + right + 1, salt=3)
    wide = functional.pad(x[None], (left, right), mode=mode) if left + right and mode != "valid" else x[None]
    return functional.conv1d(wide, weight, stride=stride)[0].tanh()


def fifth_sees_sixth(x: Tensor) -> Tensor:
    return torch.cat([x[:, :5], x[:, 5:6] + x[:, 6:7].sum(), x[:, 6:]], 1)


def causal(x: Text) -> Tensor:
    return attention(x, causal=True, places="learned")


def counted(token: int) -> Model:
    return lambda x: causal(x) * (1 + (x.ids == token).sum())


def seen_by_padding(x: Text) -> Tensor:
    """Deaf to the mask."""
    return attention(replace(x, mask=None))


def from_the_mask(x: Text) -> Tensor:
    positions = x.positions if x.positions is not None else ((x.mask if x.mask is not None else torch.ones(len(x))).cumsum(0) - 1)
    return attention(replace(x, positions=positions.clamp(min=0).long()), places="learned")


def alone(x: Text) -> Tensor:
    return noise(x.vocabulary, 8, salt=1)[x.ids]


def maximum(x: Graph) -> Tensor:
    message = (x.x @ noise(4, 5, salt=6))[x.edge_index[0]] * x.edges["edge_weight"][:, None]
    index = x.edge_index[1][:, None].expand_as(message)
    return (x.nodes["pos"] @ noise(3, 5, salt=9)).scatter_reduce(0, index, message, "amax")


def first_edge(x: Graph) -> Tensor:
    return x.x * x.edges["edge_weight"][0]


def over_nodes(x: Graph) -> Tensor:
    return convolved(x) - convolved(x).mean(0)


def vectors(x: Tensor) -> Tensor:
    return x * x.norm(dim=1)[:, None]


def distances(x: Tensor) -> Tensor:
    return torch.cdist(x, x).mean(1, keepdim=True)


def plus(g: Any, h: Any) -> Any:
    return tuple(a + b for a, b in zip(g, h, strict=True))


def minus(g: Any) -> Any:
    return tuple(-part for part in g)


SQUARE, OBLONG, SERIES, TEXT = image(3, 16, 16), image(3, 8, 12), series(2, 24), replace(text(), end=3)
GROUP = {"compose": plus, "inverse": minus}
WITNESSES: dict[str, tuple[Witness, ...]] = {
    "translation": (
        Witness(
            Translation(),
            SQUARE,
            (lambda x: net(x, filters()), lambda x: mean(net(x, filters())), lambda x: net(x, filters(), stride=4), valid),
            (lambda x: net(x, filters(), padding="zeros"), ramp, slope),
            {**GROUP, "identity": (0, 0)},
        ),
        Witness(
            Translation(), SQUARE, (lambda x: tokens(net(x, filters(), stride=2)),), (lambda x: numbered(tokens(x)), corner_first)
        ),
        Witness(Translation(), OBLONG, (lambda x: valid(x), lambda x: x), (ramp, slope)),
    ),
    "translation-zeros": (
        Witness(Translation("zeros"), SQUARE, (lambda x: net(x, filters(), padding="zeros"), valid, lambda x: x), (ramp, slope)),
        Witness(Translation("zeros"), SQUARE, (lambda x: x.square().sum((1, 2)),), (lambda x: slope(x).sum((1, 2)),)),
    ),
    "crop": (Witness(CroppedTranslation(), SQUARE, (lambda x: x.tanh(), valid), (ramp, slope)),),
    "subpixel": (
        Witness(
            SubpixelTranslation(),
            image(3, 9, 11),
            (lambda x: torch.fft.rfft2(x).abs().flatten(),),
            (lambda x: ramp(x).sum((1, 2)),),
            GROUP,
        ),
        Witness(SubpixelTranslation(), image(3, 8, 10), (lambda x: torch.fft.rfft2(x).abs().flatten(),)),
    ),
    "quarter-turns": (
        Witness(
            QuarterTurns(),
            SQUARE,
            (lambda x: net(x, filters(turned=True), padding="zeros"), lambda x: tokens(x.tanh())),
            (lambda x: net(x, filters()), ramp),
            {"identity": 0, "compose": lambda g, h: g + h, "inverse": lambda g: 4 - g},
        ),
        Witness(
            QuarterTurns(), OBLONG, (lambda x: net(x, filters(turned=True), padding="zeros"), lambda x: x.sum((1, 2))), (ramp,)
        ),
    ),
    "rotation": (Witness(Rotation(), SQUARE, (lambda x: net(x, filters(turned=True)),), (lambda x: net(x, filters()),)),),
    "reflection": (
        Witness(Reflection(), OBLONG, (mirrored, lambda x: mean(mirrored(x))), (ramp,), {"inverse": lambda g: g}),
        Witness(Reflection(), OBLONG, (slope,)),
        Witness(Reflection("up-down"), OBLONG, (lambda x: mirrored(x, -2), ramp), (slope,), {"inverse": lambda g: g}),
        Witness(Reflection(), SQUARE, (lambda x: tokens(mirrored(x)),)),
    ),
    "intensity": (
        Witness(
            Intensity(),
            OBLONG,
            (lambda x: mean((x - x.mean()) / x.std()),),
            (lambda x: mean(x - x.mean((1, 2), keepdim=True).mean()), lambda x: mean(x / x.std())),
            {"identity": (1.0, 0.0), "compose": lambda g, h: (g[0] * h[0], g[0] * h[1] + g[1])},
        ),
    ),
    "channels": (
        Witness(
            ChannelPermutation(),
            image(4, 5, 5),
            (lambda x: x.sum(0, keepdim=True), lambda x: x.sort(0).values.mean((1, 2))),
            (lambda x: x.flatten()[:5],),
            {"compose": lambda g, h: tuple(h[k] for k in g), "inverse": lambda g: tuple(int(k) for k in np.argsort(g))},
        ),
    ),
    "time-shift": (
        Witness(
            TimeShift(),
            SERIES,
            (in_time, lambda x: in_time(x, stride=2), lambda x: in_time(x, mode="valid"), lambda x: in_time(x).mean(1)),
            (ramp, lambda x: in_time(x, mode="constant")),
            {"identity": 0, "compose": lambda g, h: g + h, "inverse": lambda g: -g},
        ),
        Witness(TimeShift("zeros"), SERIES, (lambda x: in_time(x, mode="constant"), lambda x: x.square().sum(1)), (ramp,)),
        Witness(TimeShift(), SERIES, (lambda x: in_time(x).T,), (lambda x: numbered(in_time(x).T),)),
    ),
    "causality": (
        Witness(
            Causality(),
            TEXT,
            (causal, lambda x: alone(x).cumsum(0)),
            (
                attention,
                lambda x: attention(x, causal=True, ahead=1),
                lambda x: causal(x) / len(x),
                counted(0),
                lambda x: causal(x) * (1 + (x.ids == 3).sum()) if len(x) == 12 else causal(x),
            ),
        ),
        *(
            Witness(
                Causality(),
                text(12),
                (),
                (lambda x, t=t: attention(x, causal=True, leaks=((t, t + 1),)),),
                only=lambda g: g.seed == 1,  # generators: every cut, where random cuts go by tokens
            )
            for t in (0, 5, 10)
        ),
        Witness(Causality(), padded(), (causal,), (attention,)),
        Witness(Causality(), padded(), (lambda x: causal(x) + (x.ids[x.mask == 0] != 0).sum(),)),
    ),
    "series-causality": (
        Witness(
            SeriesCausality(),
            SERIES,
            (lambda x: in_time(x, 2, 0, "constant"), lambda x: x.cumsum(1).T),
            (lambda x: in_time(x, 1, 1, "constant"), lambda x: x / x.shape[1], lambda x: x * (1 + (x == 0).sum())),
        ),
        Witness(SeriesCausality(), series(2, 12), (), (fifth_sees_sixth,), only=lambda g: g.seed == 1),  # generators: every cut
    ),
    "token-permutation": (
        Witness(
            TokenPermutation(), TEXT, (attention, lambda x: pooled(attention(x))), (lambda x: numbered(attention(x)), causal)
        ),
        Witness(TokenPermutation(), padded(), (attention,), (lambda x: numbered(attention(x)),)),
    ),
    "left-padding": (
        Witness(LeftPadding(), TEXT, (from_the_mask, attention), (seen_by_padding, lambda x: attention(x, places="learned"))),
        Witness(LeftPadding(positions=True), TEXT, (lambda x: attention(x, places="learned"),), (seen_by_padding,)),
        Witness(LeftPadding(), replace(TEXT, padding=7), (lambda x: alone(x) + (x.ids != 7).cumsum(0)[:, None],), ()),
    ),
    "prefix-shift": (
        Witness(PrefixShift(), TEXT, (alone,), (attention, lambda x: numbered(alone(x)))),
        Witness(
            PrefixShift(),
            replace(TEXT, positions=torch.arange(12) + 2),
            (lambda x: alone(x) * (x.positions - torch.arange(len(x)))[:, None],),
            (attention,),
        ),
    ),
    "position-shift": (
        Witness(PositionShift(), TEXT, (lambda x: attention(x, places="rotary"),), (lambda x: attention(x, places="learned"),)),
    ),
    "relabeling": (
        Witness(Relabeling(), graph(), (convolved, lambda x: pooled(convolved(x))), (lambda x: numbered(convolved(x)),)),
    ),
    "edge-order": (Witness(EdgeOrder(), graph(), (convolved, lambda x: pooled(convolved(x))), (first_edge,)),),
    "isolated-node": (Witness(IsolatedNode(), graph(), (convolved,), (over_nodes,)),),
    "duplicate-edges": (Witness(DuplicateEdges(), graph(), (maximum,), (convolved,)),),
    "point-permutation": (
        Witness(PointPermutation(), points(), (deep_set, lambda x: pooled(deep_set(x))), (lambda x: numbered(deep_set(x)),)),
    ),
    "point-rotation": (
        Witness(PointRotation(), points(), (distances,), (lambda x: x[:, :1],)),
        Witness(
            PointRotation("vector"),
            points(),
            (vectors, lambda x: torch.linalg.cross(x, x.roll(1, 0))),
            (lambda x: x.abs(),),
            {
                "compose": lambda g, h: tuple(map(tuple, np.array(g) @ np.array(h))),
                "inverse": lambda g: tuple(map(tuple, np.array(g).T)),
            },
        ),
        Witness(PointRotation("vector"), points(7, 2), (vectors,), (lambda x: x.abs(),)),
    ),
    "point-translation": (
        Witness(PointTranslation(), points(), (distances, lambda x: x - x.mean(0)), (lambda x: x.tanh(),), {"compose": plus}),
    ),
}
