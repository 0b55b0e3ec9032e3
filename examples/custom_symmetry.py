"""A symmetry of your own: time reversal of a series, and a model that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

import erlangen
from erlangen.auditing import Audit, generated
from erlangen.symmetries import Symmetry


@dataclass(frozen=True)
class TimeReversal(Symmetry):
    """A series (C, T) played backwards; the only element but the identity."""

    name: ClassVar[str] = "time-reversal"
    advice: ClassVar[str] = "Use features that do not depend on the direction of time, such as the power of each frequency."

    def generators(self, x: Tensor) -> Sequence[str]:
        return ("backwards",)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[str]:
        return ("backwards",)[:n]

    def act(self, x: Tensor, g: str) -> Tensor:
        return x.flip(-1)


def spectrum(x: Tensor) -> Tensor:
    """Power of each frequency: blind to the direction of time. x (B, C, T)."""
    return torch.fft.rfft(x).abs().square().flatten(1)


def find() -> tuple[Audit, Audit]:
    series = torch.stack(generated("series", (2, 32), n=12))
    kept = erlangen.audit(spectrum, series, [TimeReversal()], domain="series")
    lost = erlangen.audit(lambda x: x[..., :8].flatten(1), series, [TimeReversal()], domain="series")
    return kept, lost


if __name__ == "__main__":
    for audit in find():
        print(audit)
