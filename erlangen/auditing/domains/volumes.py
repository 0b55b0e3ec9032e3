"""Volumes (C, D, H, W), such as scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.arrays import array_domain
from erlangen.auditing.domains import images
from erlangen.symmetries.channels import ChannelPermutation
from erlangen.symmetries.intensity import Intensity
from erlangen.symmetries.translation import Translation
from erlangen.symmetries.volume_reflection import VolumeReflection
from erlangen.symmetries.volume_turns import VolumeTurns


def smooth_field(shape: Sequence[int], vocabulary: int, rng: np.random.Generator) -> Tensor:
    """A smooth random field (C, D, H, W), with mean 0 and RMS 1 in each channel."""
    waves = np.fft.rfftn(rng.standard_normal(tuple(shape)), axes=(1, 2, 3))
    squares = [np.fft.fftfreq(shape[1])[:, None, None], np.fft.fftfreq(shape[2])[:, None], np.fft.rfftfreq(shape[3])]
    field = np.fft.irfftn(waves * np.exp(-sum(f**2 for f in squares) / (2 * 0.12**2)), s=tuple(shape[1:]), axes=(1, 2, 3))
    field -= field.mean((1, 2, 3), keepdims=True)
    size = np.sqrt((field**2).mean((1, 2, 3), keepdims=True))
    return torch.from_numpy(field / np.where(size > 0, size, 1)).float()


def pictures(x: Tensor, moved: Tensor) -> tuple[str, ...]:
    """The middle slices of x and g·x."""
    return images.pictures(*(volume[:, volume.shape[1] // 2] for volume in (x, moved)))


SYMMETRIES = (
    Translation("circular"),
    Translation("zeros"),
    VolumeTurns(),
    VolumeReflection(),
    Intensity(),
    ChannelPermutation(),
)
DOMAIN = replace(array_domain("volumes", ("C", "D", "H", "W"), SYMMETRIES), generate=smooth_field, pictures=pictures)
