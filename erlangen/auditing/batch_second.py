"""Models that return the batch on the second axis, (T, B, D), as recurrent networks do."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from erlangen.auditing.model import Adapter


@dataclass(frozen=True)
class BatchSecond:
    """The adapter `inner` for outputs (T, B, D)."""

    inner: Adapter

    @property
    def separates_inputs(self) -> bool:
        return self.inner.separates_inputs

    def key(self, x: Any) -> Hashable:
        return self.inner.key(x)

    def collate(self, batch: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.inner.collate(batch)

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        """Outputs of inner layers may have the batch first."""
        second = y.ndim == 3 and y.shape[1] == len(batch)
        return self.inner.split(y.transpose(0, 1) if second else y, batch)

    def sites(self, y: Tensor) -> Tensor:
        return self.inner.sites(y)
