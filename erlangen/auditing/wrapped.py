"""An adapter around another one, which changes only how outputs are split."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from erlangen.auditing.model import Adapter


@dataclass(frozen=True)
class Wrapped:
    """The adapter `inner`; subclasses override `split`."""

    inner: Adapter

    @property
    def separates_inputs(self) -> bool:
        return self.inner.separates_inputs

    def key(self, x: Any) -> Hashable:
        return self.inner.key(x)

    def collate(self, batch: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.inner.collate(batch)

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        return self.inner.split(y, batch)

    def sites(self, y: Tensor) -> Tensor:
        return self.inner.sites(y)
