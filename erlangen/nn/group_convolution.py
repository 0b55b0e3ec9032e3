"""Convolutions that turn with their input: by quarter turns (C4), or by eighths (C8).

    lifting          y[o, g] = Σ_i ψ_g[o, i] * x[i] + b[o]
    group to group   y[o, g] = Σ_{i,h} ψ_g[o, i, h - g] * x[i, h] + b[o]        h - g mod n

g, h = 0 … n - 1 count turns by 360°/n counterclockwise; ψ_g is the filter ψ turned g times; * is a correlation, as in conv2d. If
the input is turned once, y is turned once and its axis g moves on by one, y'[o, g] = y[o, g - 1] turned; the mean or maximum over
g and over all pixels stays as it is. All y come from one ordinary convolution, whose filters are one product of the weights with
a constant table.

C4 turns the nine numbers of a 3×3 filter on the grid: every turn is exact. C8 has filters of six numbers, the center and
circular harmonics on the ring of eight pixels around it, since the ring has too few pixels for more,

    ψ(r, φ) = w_0 c(r) + s(r) (w_1 + w_2 cos φ + w_3 sin φ + w_4 cos 2φ + w_5 sin 2φ),        ψ_g(r, φ) = ψ(r, φ - 45° g)

with c = 1 at the center, s = 1/r² on the ring, else 0. With this s, the turns of a filter answer a turned image alike wherever
it is a polynomial of second degree: Σ s cos 2φ (x² - y²) over the four neighbors is Σ s sin 2φ · 2xy over the four corners. Turns
by 90° move pixels onto pixels and are exact; turns by 45° lose what an image has of finer structure.

Sources: Cohen & Welling, "Group Equivariant Convolutional Networks", ICML 2016; Weiler & Cesa, "General E(2)-Equivariant
Steerable CNNs", NeurIPS 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Order: TypeAlias = Literal[4, 8]
SIDE = 3  # pixels of a filter
HARMONICS = (0, 1, 2)  # frequencies on the ring: the four neighbors, or the four corners, cannot tell higher ones from these


def turned_basis(order: Order) -> Tensor:
    """The filters of which all others are sums, turned g times: (g, basis, 3, 3) float64.

    The basis of order 4 is the nine pixels. Raises ValueError for another order than 4 or 8.
    """
    if order == 4:
        first = [torch.eye(SIDE**2, dtype=torch.float64).view(-1, SIDE, SIDE)]
    elif order == 8:
        first = [harmonics(0.0), harmonics(math.pi / 4)]
    else:
        raise ValueError(f"order {order}: choose 4 for quarter turns or 8 for eighths")
    turns = [torch.rot90(basis, quarter, (-2, -1)) for quarter in range(4) for basis in first]
    return torch.stack(turns)  # every quarter turn moves the same numbers, so that it is exact


def harmonics(angle: float) -> Tensor:
    """The center and the harmonics of the ring, turned counterclockwise by an angle in radians: (6, 3, 3) float64."""
    offset = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
    across, up = torch.meshgrid(offset, -offset, indexing="xy")  # (3, 3) each: rows run downwards
    radius, direction = torch.hypot(across, up), torch.atan2(up, across) - angle
    ring = torch.where(radius > 0, radius.clamp(min=1.0) ** -2, 0.0)
    waves: list[Callable[[Tensor], Tensor]] = [torch.cos, torch.sin]
    around = [wave(m * direction) for m in HARMONICS for wave in (waves if m else waves[:1])]
    return torch.stack([(radius == 0).double(), *(ring * wave for wave in around)])


class GroupConv2d(nn.Module):
    """A 3×3 convolution of order 4 or 8 with zero padding of one pixel, which keeps the size of the map.

    Input (N, in_fields, H, W) if `lifting`, else (N, in_fields · order, H, W); output (N, out_fields · order, H, W). The numbers
    of a field, one for each g, are neighboring channels. Weights start as in `nn.Conv2d`: uniform, the filters' values with a
    variance of 1 / (3 · 9 · channels of the input) on average. Biases, one a field, start as they do there.
    """

    table: Tensor

    def __init__(self, in_fields: int, out_fields: int, order: Order, *, lifting: bool = False) -> None:
        super().__init__()
        self.fields, self.order, self.lifting = (in_fields, out_fields), order, lifting
        basis = turned_basis(order)  # (g, basis, 3, 3)
        copies, numbers = (1 if lifting else order), basis.shape[1]
        self.register_buffer("table", filter_table(basis, lifting).float(), persistent=False)
        inputs = in_fields * copies * SIDE**2
        energy = float((basis[0] ** 2).sum()) / SIDE**2  # of a filter's pixel, for weights of variance 1
        self.weight = nn.Parameter(torch.empty(out_fields, in_fields, copies, numbers).uniform_(-1, 1) / (inputs * energy) ** 0.5)
        self.bias = nn.Parameter(torch.empty(out_fields).uniform_(-1, 1) / inputs**0.5)

    def filters(self) -> Tensor:
        """All filters as those of an ordinary convolution: (out_fields · order, channels of the input, 3, 3)."""
        (inner, outer), order = self.fields, self.order
        flat = self.weight.flatten(2).flatten(0, 1) @ self.table  # (outer · inner, order · copies · 9)
        split = flat.view(outer, inner, order, -1, SIDE, SIDE)
        return split.transpose(1, 2).reshape(outer * order, -1, SIDE, SIDE)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.filters(), self.bias.repeat_interleave(self.order), padding=SIDE // 2)

    def extra_repr(self) -> str:
        return f"{self.fields[0]}, {self.fields[1]}, order={self.order}, lifting={self.lifting}"


def filter_table(basis: Tensor, lifting: bool) -> Tensor:
    """Of a turned basis (g, basis, 3, 3), what weights are multiplied with: (copies · basis, g · copies · 9).

    Row (h - g mod n, k), column (g, h, pixel): basis filter k turned g times; elsewhere 0. copies: 1 if `lifting`, else n.
    """
    order, numbers = basis.shape[:2]
    copies = 1 if lifting else order
    table = basis.new_zeros(copies, numbers, order, copies, SIDE**2)
    for g in range(order):
        for h in range(copies):
            table[(h - g) % copies, :, g, h] = basis[g].flatten(1)
    return table.view(copies * numbers, -1)


def group_pool(x: Tensor, order: Order) -> Tensor:
    """The maximum of each field over g, which does not change if g moves on: (N, fields · order, ...) -> (N, fields, ...)."""
    return x.reshape(len(x), -1, order, *x.shape[2:]).amax(2)
