"""Images (C, H, W)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from erlangen.auditing.arrays import array_domain
from erlangen.auditing.pictures import png
from erlangen.symmetries.channels import ChannelPermutation
from erlangen.symmetries.crop import CroppedTranslation
from erlangen.symmetries.intensity import Intensity
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.rotation import QuarterTurns, Rotation
from erlangen.symmetries.scale import Scale
from erlangen.symmetries.subpixel import SubpixelTranslation
from erlangen.symmetries.translation import Translation


def smooth_field(shape: Sequence[int], vocabulary: int, rng: np.random.Generator) -> Tensor:
    """A smooth random field (C, H, W), so that rotating it loses little; each channel has mean 0 and RMS 1."""
    noise = np.fft.rfft2(rng.standard_normal(tuple(shape)))
    field = np.fft.irfft2(noise * low_pass(shape), s=tuple(shape[-2:]))
    field -= field.mean((-2, -1), keepdims=True)
    size = np.sqrt((field**2).mean((-2, -1), keepdims=True))
    return torch.from_numpy(field / np.where(size > 0, size, 1)).float()


def smooth(x: Tensor) -> Tensor:
    """An image without its fine detail: the derivative of what pixels cannot resolve has no meaning."""
    waves = torch.fft.rfft2(x.double()) * torch.from_numpy(low_pass(x.shape))
    image: Tensor = torch.fft.irfft2(waves, s=x.shape[-2:]).to(x.dtype)
    return image


def low_pass(shape: Sequence[int]) -> NDArray[np.float64]:
    """A Gaussian over the spatial frequencies, 1/e at about a twelfth of the sampling rate; (H, W // 2 + 1)."""
    rows, columns = np.fft.fftfreq(shape[-2])[:, None], np.fft.rfftfreq(shape[-1])[None]
    gauss: NDArray[np.float64] = np.exp(-((rows**2 + columns**2) / (2 * 0.06**2)))
    return gauss


def pictures(x: Tensor, moved: Tensor) -> tuple[str, ...]:
    """x and g·x on the color scale of x; () if they have neither one channel nor three."""
    if len(x) not in (1, 3):
        return ()
    low, high = x.amin(), x.amax()
    return tuple(png((image - low) / (high - low).clamp(min=1e-12)) for image in (x, moved))


SYMMETRIES = (
    Translation("circular"),
    Translation("zeros"),
    CroppedTranslation(),
    SubpixelTranslation(),
    QuarterTurns(),
    Rotation(),
    Reflection(),
    Scale(),
    Intensity(),
    ChannelPermutation(),
)
DOMAIN = replace(array_domain("images", ("C", "H", "W"), SYMMETRIES), generate=smooth_field, pictures=pictures, smooth=smooth)
