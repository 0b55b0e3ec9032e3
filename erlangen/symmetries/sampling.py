"""Interpolation between pixels, and the disk that a rotation leaves in place."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.spectrum import at_least_float32


def center(x: Tensor) -> tuple[float, float]:
    """Row and column about which quarter turns map pixels onto pixels: the middle, or half a pixel off it if H - W is odd."""
    height, width = x.shape[-2:]
    return (height - 1) / 2, (width - 1 - (height - width) % 2) / 2


def offsets(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns relative to the center, two (H, W) in float64."""
    (height, width), (row, column) = x.shape[-2:], center(x)
    down = torch.arange(height, dtype=torch.float64, device=x.device) - row
    right = torch.arange(width, dtype=torch.float64, device=x.device) - column
    return down[:, None].expand(height, width), right[None, :].expand(height, width)


def radius(x: Tensor) -> float:
    """Radius of the largest disk about the center that stays within the outermost pixels under every rotation."""
    return min(center(x))


def window(x: Tensor, reach: float) -> Tensor:
    """1 in the middle, 0 beyond `reach` pixels, cos² over the outer quarter, since a hard edge would alias; (H, W), float64."""
    down, right = offsets(x)
    outer = ((down.square() + right.square()).sqrt() / max(reach, 1e-9) - 0.75).clamp(0, 0.25) * 4  # 0 inside, 1 outside
    return (outer * (torch.pi / 2)).cos().square() * (outer < 1)


def fade(x: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """The mean m of x within the window (C, 1, 1) and the window times x - m (C, H, W), in at least float32."""
    x = at_least_float32(x)
    weight = window(x, reach).to(x.dtype)
    if not bool(weight.any()):  # images of one or two pixels
        return x.mean((-2, -1), keepdim=True), torch.zeros_like(x)
    mean = (x * weight).sum((-2, -1), keepdim=True) / weight.sum()
    return mean, (x - mean) * weight


def interpolate(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x (C, H, W) at rows and columns (H', W'), bilinear between pixels and 0 outside; (C, H', W').

    Uses plain indexing, since `grid_sample` has no forward-mode derivative. Whole coordinates give pixels exactly.
    """
    height, width = x.shape[-2:]
    pixels = functional.pad(x, (1, 2, 1, 2)).flatten(-2)  # zeros all around, so that no index is out of range
    rows, columns = rows.clamp(-1, height) + 1, columns.clamp(-1, width) + 1
    top, left = rows.long(), columns.long()  # the floor, since both are positive
    below, beside = (rows - top).to(x.dtype), (columns - left).to(x.dtype)
    corner = (top * (width + 3) + left).flatten()  # (H'·W',)
    upper, upper_right, lower, lower_right = (
        pixels.index_select(-1, corner + step).view(*x.shape[:-2], *rows.shape) for step in (0, 1, width + 3, width + 4)
    )
    return torch.lerp(torch.lerp(upper, upper_right, beside), torch.lerp(lower, lower_right, beside), below)


def relative_change(x: Tensor, y: Tensor) -> float:
    """RMS(y - x) in units of RMS(x - mean x), the spread of x."""
    x, y = x.double(), y.double()
    if torch.equal(x, y):  # avoids 0 / 0 for a constant or empty x
        return 0.0
    change = (y - x).square().mean().sqrt()
    return float(change / (x - x.mean()).square().mean().sqrt())
