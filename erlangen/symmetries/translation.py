"""Translation of images by whole pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Translation:
    """The group of shifts (rows, columns); an element g = (dy, dx) moves the picture down and to the right.

    border: `circular` wraps around (a true group action), `zeros` fills with black (an action only on images whose
    content stays inside).
    """

    border: Literal["circular", "zeros"] = "circular"

    def act(self, x: Tensor, g: tuple[int, int]) -> Tensor:
        """x (..., H, W) moved by g, of the same shape."""
        dy, dx = g
        moved = torch.roll(x, (dy, dx), dims=(-2, -1))
        if self.border == "zeros":
            h, w = x.shape[-2:]
            moved[..., : max(dy, 0), :] = 0
            moved[..., max(h + min(dy, 0), 0) :, :] = 0
            moved[..., :, : max(dx, 0)] = 0
            moved[..., :, max(w + min(dx, 0), 0) :] = 0
        return moved
