"""Detectors in closed form: boxes and keypoints that are moments of the picture, or lie around its pixels."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from auditing.oracles.images import noise
from torch import Tensor, nn
from torch.nn import functional


def masses(x: Tensor) -> Tensor:
    """(B, 3, H, W) that are 0 where the picture is: zeros that a shift brings in weigh nothing."""
    return x.square() + 1e-3 * x.abs()


def grids(x: Tensor, first: float = 0.5) -> tuple[Tensor, Tensor]:
    """Rows (H, 1) and columns (W,) of the pixels, counted from `first`."""
    h, w = x.shape[-2:]
    rows, columns = (torch.arange(side, dtype=x.dtype, device=x.device) for side in (h, w))
    return rows[:, None] + first, columns + first


def moments(x: Tensor, first: float = 0.5) -> tuple[Tensor, Tensor]:
    """Centers of mass (B, 3, 2) as (x, y), and four standard deviations about them."""
    m, (rows, columns) = masses(x), grids(x, first)
    total = m.sum((2, 3))
    mean = torch.stack([(m * at).sum((2, 3)) / total for at in (columns, rows)], -1)
    square = torch.stack([(m * at.square()).sum((2, 3)) / total for at in (columns, rows)], -1)
    return mean, 4 * (square - mean.square()).sqrt()


class Extents(nn.Module):
    """A box around the mass of each channel, (B, 3, 4), in a format; `sorted`: by their masses, with these behind, (B, 3, 5)."""

    def __init__(self, kind: str = "xyxy", normalized: bool = False, by_mass: bool = False, first: float = 0.5) -> None:
        super().__init__()
        self.kind, self.normalized, self.by_mass, self.first = kind, normalized, by_mass, first

    def forward(self, x: Tensor) -> Tensor:
        center, size = moments(x, self.first)
        low = center - size / 2
        second = {"xyxy": center + size / 2, "xywh": size, "cxcywh": size}[self.kind]
        y = torch.cat([center if self.kind == "cxcywh" else low, second], -1)
        if self.normalized:
            last = 0 if self.first else 1
            y = y / x.new_tensor([x.shape[-1] - last, x.shape[-2] - last] * 2)
        if not self.by_mass:
            return y
        mass = masses(x).mean((2, 3))
        return torch.cat([y, mass[..., None]], -1).gather(1, mass.argsort(1)[..., None].expand(-1, -1, 5))


class Anchors(nn.Module):
    """A box around each pixel, (B, H·W, 5), where a convolution says, with its score; the best first."""

    def __init__(self, padding: str = "circular", stride: int = 1, flip: bool = False) -> None:
        super().__init__()
        self.layer, self.stride, self.flip = nn.Conv2d(3, 5, 3, stride, 1, padding_mode=padding), stride, flip
        nn.init.normal_(self.layer.weight, std=0.4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x)
        h = (h + self.layer(x.flip(-1)).flip(-1) * x.new_tensor([-1, 1, 1, 1, 1])[:, None, None]) if self.flip else h
        rows, columns = (self.stride * at for at in grids(h))
        width, height = (h[:, 2:4] / 4).exp().unbind(1)
        y = torch.stack([columns + h[:, 0].tanh(), rows + h[:, 1].tanh(), width, height, h[:, 4]], -1).flatten(1, 2)
        return y.gather(1, y[..., 4].argsort(1, descending=True)[..., None].expand_as(y))


class Circle(nn.Module):
    """The mean place on the circle that a cyclic shift moves along, (B, 3, 2); `lag`: turned by a place of its own."""

    def __init__(self, lag: bool = False) -> None:
        super().__init__()
        self.lag = lag

    def forward(self, x: Tensor) -> Tensor:
        m, places = masses(x), []
        for at, dims in zip(grids(x)[::-1], (2, 3), strict=True):
            side = at.numel()
            phase = (at.flatten() - 0.5) * (2 * torch.pi / side)
            weights = m.sum(dims) * (torch.linspace(1, 2, side, dtype=x.dtype, device=x.device) if self.lag else 1)
            places.append(torch.atan2((weights * phase.sin()).sum(-1), (weights * phase.cos()).sum(-1)) * side / (2 * torch.pi))
        return torch.stack(places, -1) % x.shape[-1]


class Single(nn.Module):
    """(B, 4)"""

    def forward(self, x: Tensor) -> Tensor:
        return Extents()(x.sum(1, keepdim=True))[:, 0]


class Centers(nn.Module):
    """(B, 3, 2)"""

    def forward(self, x: Tensor) -> Tensor:
        return moments(x)[0]


class Padded(nn.Module):
    """Six rows for three boxes: the others are 0."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes = Extents()

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(self.boxes(x), (0, 0, 0, 3))


class Ramp(nn.Module):
    """Boxes of a picture that is brighter on the right."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes = Extents()

    def forward(self, x: Tensor) -> Tensor:
        return self.boxes(x * torch.linspace(0.2, 3, x.shape[-1], dtype=x.dtype, device=x.device))


def objects(seed: int, dtype: torch.dtype) -> Tensor:
    """(16, 3, 16, 16) with something in the middle 6 x 6 only, so that a shift loses nothing."""
    x = torch.zeros(16, 3, 16, 16, dtype=dtype)
    x[..., 5:11, 5:11] = noise(seed, dtype, 16, (3, 6, 6))
    return x


def oblong(seed: int, dtype: torch.dtype) -> Tensor:
    return noise(seed, dtype, 12, (3, 8, 12))


def boxes(name: str, make: Callable[[], nn.Module], output: str, expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"boxes: {name}",
        domain="images",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        options={"output": output},
        **{"inputs": objects, **more},
    )


MOVED = {"translation": EXACT, "translation-zeros": EXACT, "reflection": EXACT, "quarter-turns": EXACT}
BUT_INTENSITY = MOVED | {"intensity": BROKEN}
LOST = {"translation": BROKEN, "reflection": BROKEN}

CASES = [
    # A center of mass and standard deviations move with what they are of, unless it is torn apart by wrapping around.
    boxes("of mass", Extents, "boxes:xyxy", MOVED | {"translation": BROKEN, "rotation": EXACT}),
    boxes("left, top, width, height", lambda: Extents("xywh"), "boxes:xywh", {"translation-zeros": EXACT, "reflection": EXACT}),
    boxes("center and size", lambda: Extents("cxcywh"), "boxes:cxcywh", {"translation-zeros": EXACT, "quarter-turns": EXACT}),
    boxes("in the picture's sides", lambda: Extents(normalized=True), "boxes:xyxy,normalized", MOVED | {"translation": BROKEN}),
    boxes("from the first pixel's center", lambda: Extents(first=0), "boxes:xyxy", MOVED | {"translation": BROKEN}),
    boxes(
        "from the first to the last pixel's center",
        lambda: Extents("cxcywh", True, first=0),
        "boxes:cxcywh,normalized",
        MOVED | {"translation": BROKEN},
    ),
    boxes("oblong pictures", Extents, "boxes:xyxy", {"reflection": EXACT, "quarter-turns": EXACT}, inputs=oblong),
    boxes("one box", Single, "boxes:xyxy", {"translation-zeros": EXACT, "reflection": EXACT}),
    boxes("padded with zeros", Padded, "boxes:xyxy", {"translation-zeros": EXACT, "quarter-turns": EXACT}),
    # By mass, channels in another order are the same boxes in the same order; by channel, in another one: as sets, the same.
    boxes("by mass", lambda: Extents(by_mass=True), "boxes:xyxy,ordered", {"channel-permutation": EXACT, "reflection": EXACT}),
    boxes("by channel, a set", Extents, "boxes:xyxy", {"channel-permutation": EXACT}),
    boxes("by channel, ordered", Extents, "boxes:xyxy,ordered", {"channel-permutation": BROKEN, "reflection": EXACT}),
    # Read in the wrong way, nothing fits.
    boxes(
        "centers taken for corners", lambda: Extents("cxcywh"), "boxes:xyxy", {"translation-zeros": BROKEN, "reflection": BROKEN}
    ),
    boxes("of a ramp", Ramp, "boxes:xyxy", {"translation-zeros": BROKEN, "reflection": BROKEN}),
    # A box around each pixel, sorted by score: the same set under a cyclic shift.
    boxes("anchors", Anchors, "boxes:cxcywh", {"translation": EXACT, "reflection": BROKEN}, inputs=oblong),
    boxes(
        "anchors, mirrored",
        lambda: Anchors(flip=True),
        "boxes:cxcywh",
        {"translation": EXACT, "reflection": EXACT},
        inputs=oblong,
    ),
    boxes("anchors, stride 2", lambda: Anchors(stride=2), "boxes:cxcywh", {"translation": BROKEN}),
    boxes("anchors, zeros", lambda: Anchors("zeros"), "boxes:cxcywh", {"translation": BROKEN}, inputs=oblong),
    boxes(
        "too many to match", Anchors, "boxes:cxcywh", {"translation": UNMEASURED}, inputs=lambda s, d: noise(s, d, 4, (3, 18, 18))
    ),
    # Keypoints turn by any angle; those on a circle move with it.
    boxes("keypoints", Centers, "keypoints", {"translation-zeros": EXACT, "quarter-turns": EXACT, "reflection": EXACT}),
    boxes("keypoints on a circle", Circle, "keypoints", {"translation": EXACT}, inputs=noise),
    boxes("keypoints beside a circle", lambda: Circle(lag=True), "keypoints", {"translation": BROKEN}, inputs=noise),
]
