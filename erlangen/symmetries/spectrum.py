"""Images as sums of waves: derivatives and subpixel shifts, exact for band-limited images.

The wave with a period of two pixels (the Nyquist frequency of an even side) has no direction, and a shift by half a pixel erases
it. It is removed from every result; otherwise shifts would not add up.
"""

from __future__ import annotations

import torch
from torch import Tensor

AXES = (-2, -1)


def at_least_float32(x: Tensor) -> Tensor:
    """x, in float32 if its precision is lower: half precision has no Fourier transform."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def frequencies(n: int, like: Tensor) -> Tensor:
    """2πk/n for k = 0 ... n // 2, in float64, (n // 2 + 1,)."""
    return torch.arange(n // 2 + 1, dtype=torch.float64, device=like.device) * (2 * torch.pi / n)


def apply_response(x: Tensor, axis: int, response: Tensor) -> Tensor:
    """x with each wave along an axis multiplied by its response (n // 2 + 1,) and the Nyquist frequency removed."""
    n = x.shape[axis]
    if n % 2 == 0:
        response = torch.cat([response[:-1], torch.zeros_like(response[:1])])
    waves = torch.fft.rfft(at_least_float32(x).transpose(axis, -1))  # (..., n // 2 + 1)
    changed = torch.fft.irfft(waves * response.to(waves.dtype), n=n)
    result: Tensor = changed.transpose(axis, -1).to(x.dtype)
    return result


def shifted(x: Tensor, g: tuple[float, float]) -> Tensor:
    """x (..., H, W) moved down and right by g pixels, wrapped around: wave k times e^(-2πi k g/n). Shifts add up."""
    for axis, pixels in zip(AXES, g, strict=True):
        angle = frequencies(x.shape[axis], x) * -pixels
        x = apply_response(x, axis, torch.polar(torch.ones_like(angle), angle))
    return x


def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """∂x/∂row and ∂x/∂column per pixel of a periodic x (..., H, W): wave k times 2πi k/n."""
    down, right = (apply_response(x, axis, 1j * frequencies(x.shape[axis], x)) for axis in AXES)
    return down, right
