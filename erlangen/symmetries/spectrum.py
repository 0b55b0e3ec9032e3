"""Images as sums of waves: derivatives and shifts by any fraction of a pixel, exact for what the pixels can tell apart.

The wave of two pixels (Nyquist's, where a side is even) has no direction: a shift by half a pixel wipes it out. It is left out of
every result, or shifts would not add up.
"""

from __future__ import annotations

import torch
from torch import Tensor

AXES = (-2, -1)


def computable(x: Tensor) -> Tensor:
    """x in a precision that has Fourier transforms: half precision as float32."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def frequencies(n: int, like: Tensor) -> Tensor:
    """2πk/n for k = 0 ... n // 2, in float64, (n // 2 + 1,)."""
    return torch.arange(n // 2 + 1, dtype=torch.float64, device=like.device) * (2 * torch.pi / n)


def filtered(x: Tensor, axis: int, response: Tensor) -> Tensor:
    """x with each wave along an axis multiplied by its response (n // 2 + 1,), and Nyquist's left out."""
    n = x.shape[axis]
    if n % 2 == 0:
        response = torch.cat([response[:-1], torch.zeros_like(response[:1])])
    known = computable(x).transpose(axis, -1)
    waves = torch.fft.rfft(known)  # (..., n // 2 + 1)
    changed = torch.fft.irfft(waves * response.to(waves.dtype), n=n)
    moved: Tensor = changed.transpose(axis, -1).to(x.dtype)
    return moved


def shifted(x: Tensor, g: tuple[float, float]) -> Tensor:
    """x (..., H, W) moved down and right by g pixels, wrapped around: wave k times e^(-2πi k g/n). Shifts add up."""
    for axis, pixels in zip(AXES, g, strict=True):
        angle = frequencies(x.shape[axis], x) * -pixels
        x = filtered(x, axis, torch.polar(torch.ones_like(angle), angle))
    return x


def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """∂x/∂row and ∂x/∂column of x (..., H, W) per pixel, x taken as periodic: wave k times 2πi k/n."""
    down, right = (filtered(x, axis, 1j * frequencies(x.shape[axis], x)) for axis in AXES)
    return down, right
