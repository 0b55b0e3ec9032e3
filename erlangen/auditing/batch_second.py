"""Models that return the batch on the second axis, (T, B, D), as recurrent networks do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from erlangen.auditing.wrapped import Wrapped


@dataclass(frozen=True)
class BatchSecond(Wrapped):
    """The adapter `inner` for outputs (T, B, D)."""

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        """Outputs of inner layers may have the batch first."""
        second = y.ndim == 3 and y.shape[1] == len(batch)
        return self.inner.split(y.transpose(0, 1) if second else y, batch)
