"""Images with one label each: what the readers of image sets return."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LabeledImages:
    """Images of one size, each with the number of its class.

    images (N, C, H, W) uint8; labels (N,) int64, from 0 to len(classes) - 1; classes: the names, in the order of their numbers.
    Raises ValueError if these do not fit together.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != torch.uint8:
            raise ValueError(f"images must be (N, C, H, W) uint8, not {tuple(self.images.shape)} {self.images.dtype}")
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(f"labels must be ({len(self.images)},) int64, not {tuple(self.labels.shape)} {self.labels.dtype}")
        if len(self) and (int(self.labels.min()) < 0 or int(self.labels.max()) >= len(self.classes)):
            raise ValueError(f"labels must be from 0 to {len(self.classes) - 1}, the numbers of the classes")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: Tensor) -> LabeledImages:
        """The images whose numbers `which` (M,) lists, in this order."""
        return LabeledImages(self.images[which], self.labels[which], self.classes)
