"""Pictures between the pixels, and the disk that stays where it is when a picture turns."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.spectrum import computable


def center(x: Tensor) -> tuple[float, float]:
    """Row and column about which quarter turns map pixels onto pixels: the middle, half a pixel beside it where H - W is odd."""
    height, width = x.shape[-2:]
    return (height - 1) / 2, (width - 1 - (height - width) % 2) / 2


def offsets(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns from the center, two (H, W) in float64."""
    (height, width), (row, column) = x.shape[-2:], center(x)
    down = torch.arange(height, dtype=torch.float64, device=x.device) - row
    right = torch.arange(width, dtype=torch.float64, device=x.device) - column
    return down[:, None].expand(height, width), right[None, :].expand(height, width)


def radius(x: Tensor) -> float:
    """Of the largest disk about the center that no turn takes past the outermost pixels."""
    return min(center(x))


def window(x: Tensor, reach: float) -> Tensor:
    """1 in the middle, 0 from `reach` pixels on, cos² over the outer quarter; (H, W), float64. A hard edge would alias."""
    down, right = offsets(x)
    outer = ((down.square() + right.square()).sqrt() / max(reach, 1e-9) - 0.75).clamp(0, 0.25) * 4  # 0 within, 1 outside
    return (outer * (torch.pi / 2)).cos().square() * (outer < 1)


def windowed(x: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """The mean m of x in the window, (C, 1, 1), and what the window leaves of x - m, (C, H, W), in at least float32."""
    x = computable(x)
    weight = window(x, reach).to(x.dtype)
    if not bool(weight.any()):  # images of one pixel or two
        return x.mean((-2, -1), keepdim=True), torch.zeros_like(x)
    mean = (x * weight).sum((-2, -1), keepdim=True) / weight.sum()
    return mean, (x - mean) * weight


def bilinear(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x (C, H, W) read at rows and columns (H', W'), between pixels by bilinear weights, 0 outside; (C, H', W').

    Plain indexing instead of `grid_sample`, which has no forward-mode derivative. Whole coordinates read pixels exactly.
    """
    height, width = x.shape[-2:]
    pixels = functional.pad(x, (1, 2, 1, 2)).flatten(-2)  # zeros all around: no pixel has to ask whether it is inside
    rows, columns = rows.clamp(-1, height) + 1, columns.clamp(-1, width) + 1
    top, left = rows.long(), columns.long()  # of what is positive: the floor
    below, beside = (rows - top).to(x.dtype), (columns - left).to(x.dtype)
    corner = (top * (width + 3) + left).flatten()  # (H'·W',)
    upper, upper_right, lower, lower_right = (
        pixels.index_select(-1, corner + step).view(*x.shape[:-2], *rows.shape) for step in (0, 1, width + 3, width + 4)
    )
    return torch.lerp(torch.lerp(upper, upper_right, beside), torch.lerp(lower, lower_right, beside), below)


def lost(x: Tensor, left: Tensor) -> float:
    """RMS(left - x) in units of x's spread RMS(x - mean x): what a transform made of x and back has changed; 0 where nothing."""
    x, left = x.double(), left.double()
    if torch.equal(x, left):  # nothing to compare, or nothing changed: no 0 / 0
        return 0.0
    change = (left - x).square().mean().sqrt()
    return float(change / (x - x.mean()).square().mean().sqrt())
