"""The one task of `cora-accuracy`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one net with its paper's recipe, but for its `width`: hidden features of all heads together."""

    net: Literal["gcn", "gat"]
    width: int
