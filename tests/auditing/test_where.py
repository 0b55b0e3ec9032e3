"""The layer that breaks a symmetry is named: nets with one planted fault, in a module or in plain code between modules."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import erlangen
from erlangen.auditing.inputs import generated

WIDTH, VOCABULARY = 12, 15
Fault = Callable[[Tensor], Tensor]


class Faulty(nn.Module):
    """A fault as a module."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, h: Tensor) -> Tensor:
        return self.fault(h)


class Net(nn.Module):
    """Blocks of two modules with a residual around them; a fault at one place, as a module or in `forward`.

    place: 0 … blocks, before that block, or after the last. inside: between the two modules of a block instead.
    """

    def __init__(
        self, make: Callable[[], nn.Module], fault: Fault, place: int, inside: bool, plain: bool, blocks: int = 3
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(make(), make(), fault if inside and k == place else None, plain) for k in range(blocks))
        self.place, self.fault = (None if inside else place), fault
        self.wrong = Faulty(fault) if not inside and not plain else None

    def body(self, h: Tensor, *rest: Tensor) -> Tensor:
        for k in range(len(self.blocks) + 1):
            if k == self.place:
                h = self.fault(h) if self.wrong is None else self.wrong(h)
            if k < len(self.blocks):
                h = self.blocks[k](h, *rest)
        return h


class Block(nn.Module):
    def __init__(self, first: nn.Module, second: nn.Module, fault: Fault | None, plain: bool) -> None:
        super().__init__()
        self.first, self.second, self.fault = first, second, fault
        self.wrong = Faulty(fault) if fault is not None and not plain else None

    def forward(self, h: Tensor, *rest: Tensor) -> Tensor:
        y = self.first(h, *rest).tanh()
        if self.fault is not None:
            y = self.fault(y) if self.wrong is None else self.wrong(y)
        return h + self.second(y, *rest)


class Images(Net):
    def __init__(self, *args: Any) -> None:
        super().__init__(lambda: nn.Conv2d(WIDTH, WIDTH, 3, padding=1, padding_mode="circular"), *args)
        self.stem, self.head = nn.Conv2d(3, WIDTH, 1), nn.Conv2d(WIDTH, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)))


class Causal(nn.Module):
    """A running mean over the past, mixed by a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(WIDTH, WIDTH)

    def forward(self, h: Tensor) -> Tensor:
        return self.mix(h.cumsum(1) / torch.arange(1, h.shape[1] + 1, dtype=h.dtype)[:, None])


class Texts(Net):
    def __init__(self, *args: Any) -> None:
        super().__init__(Causal, *args)
        self.stem, self.head = nn.Embedding(VOCABULARY, WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.body(self.stem(ids)))


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(WIDTH, WIDTH)

    def forward(self, h: Tensor, edge_index: Tensor) -> Tensor:
        return self.mix(torch.zeros_like(h).index_add(0, edge_index[1], h[edge_index[0]]))


class Graphs(Net):
    def __init__(self, *args: Any) -> None:
        super().__init__(Sum, *args)
        self.stem, self.head = nn.Linear(4, WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x), edge_index))


def column(h: Tensor) -> Tensor:
    """Adds to one column of a map what stands at another place."""
    return h + 9 * functional.pad(h[..., :1], (0, h.shape[-1] - 1))


def numbered(h: Tensor) -> Tensor:
    """Adds the number of each node."""
    return h + torch.linspace(-1, 1, len(h), dtype=h.dtype)[:, None]


KINDS: dict[str, tuple[type[Net], str, tuple[int, ...], str, Fault]] = {
    "translation": (Images, "images", (3, 12, 12), "translation", column),
    "batch of images": (Images, "images", (3, 12, 12), "batch-composition", lambda h: h + h.mean(0, keepdim=True)),
    "causality": (Texts, "texts", (9,), "causality", lambda h: h + h.mean(1, keepdim=True)),
    "batch of texts": (Texts, "texts", (9,), "batch-composition", lambda h: h + h.mean(0, keepdim=True)),
    "node order": (Graphs, "graphs", (14, 4), "node-permutation", numbered),
}  # fmt: skip
PLACES = [(place, inside, plain) for inside in (False, True) for place in range(3 if inside else 4) for plain in (False, True)]


def culprits(place: int, inside: bool, plain: bool) -> set[str]:
    """What may be named: the faulty module; or the first thing that sees the output of faulty code."""
    if not plain:
        return {f"blocks.{place}.wrong" if inside else "wrong"}
    if inside:
        return {f"before blocks.{place}.second"}
    return {f"before blocks.{place}"} if place < 3 else {"before head"}


@pytest.mark.parametrize(("place", "inside", "plain"), PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_is_named(kind: str, place: int, inside: bool, plain: bool) -> None:
    make, domain, shape, name, fault = KINDS[kind]
    torch.manual_seed(0)
    model = make(fault, place, inside, plain).eval()
    found = erlangen.audit(model, generated(domain, shape, 8, VOCABULARY), [name], domain=domain, elements=3)
    check = next(check for check in found.checks if check.name == name)
    assert check.judgment == "broken"
    assert check.breaks is not None
    assert check.breaks.culprit in culprits(place, inside, plain), check.breaks.why
