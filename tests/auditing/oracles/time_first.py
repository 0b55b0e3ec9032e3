"""Models that take or return the batch on the second axis, (T, B, D), as recurrent networks do."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, SHIFTED, Case, served
from auditing.oracles.geometry import LINES, Steps, columns, conv, conv1d
from auditing.oracles.series import waves
from torch import Tensor, nn


class Recurrent(nn.Module):
    """(T, B, 3) -> (T, B, 5)"""

    def __init__(self, both: bool = False, channels: int = 2) -> None:
        super().__init__()
        self.read = nn.GRU(channels, 5, bidirectional=both)
        for weight in self.read.parameters():
            nn.init.normal_(weight, std=0.8)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(x)[0]


def time_first(h: Tensor) -> Tensor:
    """(B, T, D) -> (T, B, D)"""
    return h.transpose(0, 1)


def from_channels(x: Tensor) -> Tensor:
    """(B, C, T) -> (T, B, C)"""
    return x.permute(2, 0, 1)


def given(seed: int, dtype: torch.dtype) -> Tensor:
    """(T, B, C), 24 steps of 20 series."""
    return from_channels(waves(seed, dtype))


def mixing(x: Tensor) -> Tensor:
    """The sum over the batch, as of a layer that takes it for time."""
    return x + 0.3 * x.cumsum(1)


def square(seed: int, dtype: torch.dtype) -> Tensor:
    """24 series of 24 steps."""
    return waves(seed, dtype, 24)


def case(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], domain: str = "series", **more: Any) -> Case:
    return Case(
        name=f"time first: {name}",
        domain=domain,
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        **{"inputs": waves, **more},
    )


TBC = {"options": {"layout": "tbc"}, "inputs": given}
COUPLED = {"batch-composition": BROKEN}

CASES = [
    # Returned so, which is seen from a call with two inputs.
    case("a convolution", lambda: Steps(conv1d(2, 3, circular=1), lambda h: h.permute(2, 0, 1)), {"time-shift": EXACT}),
    case("a convolution, zeros", lambda: Steps(conv1d(2, 3, padding=1), lambda h: h.permute(2, 0, 1)), {"time-shift": BROKEN}),
    case("a GRU", lambda: Steps(from_channels, Recurrent()), {"causality": EXACT, "time-shift": BROKEN}),
    case("a GRU, both ways", lambda: Steps(from_channels, Recurrent(True)), {"causality": BROKEN}),
    case("as many series as steps", lambda: Steps(from_channels, Recurrent()), {"causality": EXACT}, inputs=square),
    case("beside others", lambda: Steps(from_channels, Recurrent(), mixing), COUPLED),
    # Taken so, which must be declared.
    case("taken by a GRU", Recurrent, {"causality": EXACT, "time-shift": BROKEN}, **TBC),
    case("taken by a GRU, both ways", lambda: Recurrent(True), {"causality": BROKEN}, **TBC),
    case("taken by a pointwise layer", lambda: nn.Linear(2, 5), {"causality": EXACT, "time-shift": EXACT}, **TBC),
    case("taken, the last step", lambda: Steps(Recurrent(), lambda h: h[-1]), {"time-shift": SHIFTED}, **TBC),
    case("taken, the mean", lambda: Steps(nn.Linear(2, 5), torch.tanh, lambda h: h.mean(0)), {"time-shift": EXACT}, **TBC),
    # Steps of a line of text, as readers return them for the loss CTC.
    case(
        "a reader", lambda: Steps(conv(3, (1, 2), stride=(1, 2)), columns, time_first), {"translation": EXACT}, "images",
        inputs=LINES,
    ),
    case(
        "a reader, zeros", lambda: Steps(conv(3, 4, stride=2, padding=1), columns, time_first), {"translation": BROKEN}, "images",
        inputs=LINES,
    ),
]  # fmt: skip
