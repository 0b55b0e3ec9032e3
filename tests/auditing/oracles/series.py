"""Models of series (B, 2, 24)."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, SHIFTED, Case, served
from torch import Tensor, nn


def waves(seed: int, dtype: torch.dtype, n: int = 20) -> Tensor:
    """White noise around 0.5, (n, 2, 24)."""
    rng = torch.Generator().manual_seed(5000 + seed)
    return torch.randn(n, 2, 24, generator=rng, dtype=torch.float64).add(0.5).to(dtype)


def short(seed: int, dtype: torch.dtype) -> Tensor:
    """Much of it is border, (20, 2, 8)."""
    return waves(seed, dtype)[..., :8]


def many(seed: int, dtype: torch.dtype) -> Tensor:
    return waves(seed, dtype, 40)


def convolutions(padding: str = "circular", strides: tuple[int, ...] = (1, 1), width: int = 1) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels, stride in zip((2, 6), strides, strict=False):
        layer = nn.Conv1d(channels, 6, 3, stride=stride, padding=width, padding_mode=padding)
        nn.init.normal_(layer.weight, std=2 * layer.weight[0].numel() ** -0.5)
        layers += [layer, nn.SiLU()]
    return nn.Sequential(*layers)


class Net(nn.Module):
    """Plain functions before and behind a module."""

    def __init__(
        self, inner: nn.Module, after: Callable[[Tensor], Tensor] = lambda h: h, before: Callable[[Tensor], Tensor] = lambda x: x
    ):
        super().__init__()
        self.inner, self.after, self.before = inner, after, before

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.inner(self.before(x)))


def mean(h: Tensor) -> Tensor:
    return h.mean(-1)


def highest(h: Tensor) -> Tensor:
    return h.amax(-1)


def spectrum(x: Tensor) -> Tensor:
    return torch.fft.rfft(x).abs().flatten(1).log1p()


def ramp(x: Tensor) -> Tensor:
    return x * torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype, device=x.device)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.read = nn.GRU(2, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(x.mT)[0][:, -1]


def case(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"series: {name}",
        domain="series",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        **{"inputs": waves, **more},
    )


BOTH = {"time-shift": EXACT, "time-shift-zeros": EXACT}

CASES = [
    # As for images: a shift with zeros is a cyclic shift of its reference.
    case("circular, mean", lambda: Net(convolutions(), mean), BOTH),
    case("circular, maximum", lambda: Net(convolutions(), highest), BOTH),
    case("circular, in time", convolutions, BOTH),
    case("circular, in time, stride 2", lambda: convolutions(strides=(2, 1)), BOTH),
    # The last seconds are what a stride keeps or not.
    case("circular, stride 2, mean", lambda: Net(convolutions(strides=(2, 2)), mean), {"time-shift": SHIFTED}, inputs=many),
    case("zero padded, in time", lambda: convolutions("zeros"), {"time-shift": BROKEN}),
    # Padded by all that the kernel reaches, one layer sees every window of the content, and windows of nothing else than zeros:
    # shifted with zeros the same windows in other places, their highest and their mean the same; wrapped around, others.
    case("full padding, maximum", lambda: Net(convolutions("zeros", (1,), 2), highest), {"time-shift-zeros": EXACT}),
    case(
        "full padding, mean",
        lambda: Net(convolutions("zeros", (1,), 2), mean),
        {"time-shift": BROKEN, "time-shift-zeros": EXACT},
        inputs=short,
    ),
    # Each step by itself: nothing meets a border.
    case("kernel 1, maximum", lambda: Net(nn.Conv1d(2, 6, 1), highest), BOTH),
    case("kernel 1, in time", lambda: nn.Sequential(nn.Conv1d(2, 6, 1), nn.SiLU()), BOTH),
    # By the shift theorem.
    case("power spectrum", lambda: Net(nn.Linear(26, 5), before=spectrum), BOTH),
    case("flattened", lambda: Net(nn.Sequential(convolutions(), nn.Flatten(), nn.Linear(144, 5))), {"time-shift": BROKEN}),
    case("ramp", lambda: Net(nn.Conv1d(2, 6, 1), mean, ramp), {"time-shift": BROKEN}),
    # It ends with another step, and reads in an order.
    case("recurrent", Recurrent, {"time-shift": BROKEN}, fast=False),
]
