"""Models of images (B, 3, 16, 16). Inputs are white noise: a picture and its neighbor one pixel on have nothing in common."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, HOLDS, SHIFTED, UNMEASURED, Case, served
from torch import Tensor, nn
from torch.nn import functional

SHAPE = (3, 16, 16)


def noise(seed: int, dtype: torch.dtype, n: int = 16, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """(n, C, H, W), mean 0.5: a border of zeros stands out."""
    rng = torch.Generator().manual_seed(1000 + seed)
    return torch.randn(n, *shape, generator=rng, dtype=torch.float64).add(0.5).to(dtype)


def small(seed: int, dtype: torch.dtype) -> Tensor:
    """(24, 3, 8, 8): much of them is border."""
    return noise(seed, dtype, 24, (3, 8, 8))


def case(name: str, build: Callable[[torch.dtype], Callable[..., Any]], expected: dict[str, Any], **more: Any) -> Case:
    return Case(name=f"images: {name}", domain="images", build=build, expected=expected, **{"inputs": noise, **more})


def module(make: Callable[[], nn.Module]) -> Callable[[torch.dtype], nn.Module]:
    return lambda dtype: served(make(), dtype)


def convolutions(padding: str = "circular", strides: tuple[int, ...] = (1, 1)) -> nn.Sequential:
    """Of kernel 3, one a stride."""
    layers: list[nn.Module] = []
    for width, stride in zip((3, 8), strides, strict=False):
        layers += [strong(nn.Conv2d(width, 8, 3, stride=stride, padding=1, padding_mode=padding)), nn.SiLU()]
    return nn.Sequential(*layers)


def strong(layer: nn.Conv2d) -> nn.Conv2d:
    """Weights so large that it matters which pixels stand together: of nearly linear features the mean would not change."""
    nn.init.normal_(layer.weight, std=2 * layer.weight[0].numel() ** -0.5)
    return layer


def pooled(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


def flattened(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(5))


def warm(net: nn.Module) -> nn.Module:
    """Lazy layers get their weights."""
    net(torch.zeros(1, *SHAPE))
    return net


class Averaged(nn.Module):
    """f averaged over some transforms of its input."""

    def __init__(self, f: nn.Module, moves: list[Callable[[Tensor], Tensor]]):
        super().__init__()
        self.f, self.moves = f, moves

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.f(move(x)) for move in self.moves]).mean(0)


def turn(k: int, mirror: bool = False) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.rot90(x.flip(-1) if mirror else x, k, (-2, -1))


class LiftingP4(nn.Module):
    """Z² to p4: one kernel in four orientations; (B, C, H, W) -> (B, D, 4, H, W)."""

    def __init__(self, c: int, d: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d, c, 3, 3) / 2)

    def forward(self, x: Tensor) -> Tensor:
        padded = functional.pad(x, (1, 1, 1, 1), mode="circular")
        return torch.stack([functional.conv2d(padded, torch.rot90(self.weight, k, (-2, -1))) for k in range(4)], 2)


class P4Convolution(nn.Module):
    """p4 to p4: orientation r of the output sees orientation s of the input through kernel (s - r), turned r times."""

    def __init__(self, c: int, d: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d, c, 4, 3, 3) / 3)

    def forward(self, x: Tensor) -> Tensor:
        flat = functional.pad(x.flatten(1, 2), (1, 1, 1, 1), mode="circular")  # (B, C·4, H + 2, W + 2)
        turned = [torch.rot90(self.weight.roll(r, 2), r, (-2, -1)).flatten(1, 2) for r in range(4)]
        return torch.stack([functional.conv2d(flat, weight) for weight in turned], 2)


class P4Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift, self.group, self.head = LiftingP4(3, 4), P4Convolution(4, 4), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.silu(self.group(functional.silu(self.lift(x)))).mean((2, 3, 4)))


class First(nn.Module):
    """f after a plain function."""

    def __init__(self, change: Callable[[Tensor], Tensor], f: nn.Module):
        super().__init__()
        self.change, self.f = change, f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(self.change(x))


def standardized(eps: float, dims: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    return lambda x: (x - x.mean(dims, keepdim=True)) / (x.var(dims, keepdim=True) + eps).sqrt()


def coordinates(x: Tensor) -> Tensor:
    """One channel more that says how far right a pixel is."""
    ramp = torch.linspace(-5, 5, x.shape[-1], dtype=x.dtype, device=x.device).expand(len(x), 1, *x.shape[-2:])
    return torch.cat([x, ramp], 1)


class Patches(nn.Module):
    """Patches of 4 x 4 as tokens (B, 16, D), each seen alone; with positions each has a vector of its own added."""

    def __init__(self, positions: bool):
        super().__init__()
        self.embed, self.mix = nn.Conv2d(3, 8, 4, stride=4), nn.Sequential(nn.SiLU(), nn.Linear(8, 6))
        self.positions = nn.Parameter(torch.randn(16, 8) * positions)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self.embed(x).flatten(2).mT + self.positions)


def histogram(x: Tensor) -> Tensor:
    return x.flatten(1).sort(1).values


ALL = {"translation": EXACT, "translation-zeros": EXACT, "quarter-turns": BROKEN, "reflection": BROKEN}

CASES = [
    # A circular convolution commutes with cyclic shifts and the mean forgets places; a picture shifted with zeros is a cyclic
    # shift of its reference. Kernels, gains and channels are not alike in any direction.
    case(
        "circular, pooled",
        module(lambda: pooled(convolutions())),
        {**ALL, "intensity": BROKEN, "channel-permutation": BROKEN},
    ),
    # One pixel on, the stride sees other pixels, which in white noise are unrelated.
    case("circular, stride 2, pooled", module(lambda: pooled(convolutions(strides=(2, 2)))), {"translation": BROKEN}),
    # What wraps around meets zeros or copies of the border, not its neighbor.
    case("zero padded, pooled", module(lambda: pooled(convolutions("zeros"))), {"translation": BROKEN}, inputs=small),
    case("replicate, pooled", module(lambda: pooled(convolutions("replicate"))), {"translation": BROKEN}, inputs=small),
    case("reflect, pooled", module(lambda: pooled(convolutions("reflect"))), {"translation": BROKEN}, inputs=small),
    # A linear layer over places weighs each of them by itself.
    case("circular, flattened", module(lambda: warm(flattened(convolutions()))), {"translation": BROKEN, "reflection": BROKEN}),
    # A map moves along with its picture; strided, under whole strides, which `fitted` picks.
    case("circular map", module(convolutions), ALL),
    case(
        "circular map, stride 2", module(lambda: convolutions(strides=(2, 1))), {"translation": EXACT, "translation-zeros": EXACT}
    ),
    case("circular map, stride 4", module(lambda: convolutions(strides=(2, 2))), {"translation": EXACT}),
    case("zero padded map", module(lambda: convolutions("zeros")), {"translation": BROKEN, "translation-zeros": BROKEN}),
    # Zeros beside the picture are what a shift with zeros brings in: one layer sees no difference, if nothing wraps around.
    case(
        "zero padded map, one layer",
        module(lambda: convolutions("zeros", (1,))),
        {"translation": BROKEN, "translation-zeros": EXACT},
    ),
    # p4 convolutions commute with quarter turns, the mean over places and orientations forgets them; kernels are not mirrored.
    case("p4 net", module(P4Net), ALL | {"quarter-turns": EXACT, "reflection": SHIFTED}, inputs=small),
    # The mean over a whole group is invariant under it, and under nothing else.
    case(
        "averaged over D4",
        module(lambda: Averaged(warm(flattened(convolutions())), [turn(k, m) for k in range(4) for m in (False, True)])),
        {"quarter-turns": EXACT, "reflection": EXACT, "translation": BROKEN},
        fast=False,
    ),
    case(
        "averaged over C4",
        module(lambda: Averaged(warm(flattened(convolutions())), [turn(k) for k in range(4)])),
        {"quarter-turns": EXACT, "reflection": BROKEN},
    ),
    case(
        "averaged over mirror images",
        module(lambda: Averaged(pooled(convolutions()), [turn(0), turn(0, True)])),
        {"reflection": EXACT, "quarter-turns": BROKEN, "translation": EXACT},
    ),
    # A mean over channels does not know their order.
    case(
        "mean over channels",
        module(lambda: First(lambda x: x.mean(1, True).expand(-1, 3, -1, -1), pooled(convolutions()))),
        {"channel-permutation": EXACT, "translation": EXACT},
    ),
    # (a·x + b - mean) / deviation is free of a > 0 and b, over the whole picture or a channel; an eps of 1e-5 beside a variance
    # of 1 leaves an error of 1e-5, not none.
    case("standardized", module(lambda: First(standardized(0.0, (1, 2, 3)), pooled(convolutions()))), {"intensity": EXACT}),
    case("standardized channels", module(lambda: First(standardized(0.0, (2, 3)), pooled(convolutions()))), {"intensity": EXACT}),
    case("standardized, eps", module(lambda: First(standardized(1e-5, (1, 2, 3)), pooled(convolutions()))), {"intensity": HOLDS}),
    # Differences between neighbors are free of b, not of a.
    case(
        "differences",
        module(lambda: First(lambda x: x - x.roll(1, -1), pooled(convolutions()))),
        {"intensity": BROKEN, "translation": EXACT},
    ),
    # Sorted values know nothing of places or channels.
    case(
        "sorted values",
        module(lambda: First(histogram, nn.Sequential(nn.Linear(768, 8), nn.SiLU(), nn.Linear(8, 5)))),
        {"translation": EXACT, "quarter-turns": EXACT, "reflection": EXACT, "channel-permutation": EXACT, "intensity": BROKEN},
    ),
    # |FFT| is free of cyclic shifts, by the shift theorem.
    case(
        "power spectrum",
        module(lambda: First(lambda x: torch.fft.rfft2(x).abs().flatten(1).log1p(), nn.Linear(432, 5))),
        {"translation": EXACT, "reflection": BROKEN},
    ),
    # A channel of coordinates tells where things are.
    case(
        "coordinates",
        module(lambda: First(coordinates, pooled(strong(nn.Conv2d(4, 8, 3, padding=1, padding_mode="circular")), nn.SiLU()))),
        {"translation": BROKEN},
        inputs=small,
    ),
    # Patches seen alone move along by whole patches, which `fitted` picks; within one they are turned, which changes each.
    case("patches", module(lambda: Patches(False)), {"translation": EXACT, "quarter-turns": BROKEN}),
    case("patches with positions", module(lambda: Patches(True)), {"translation": BROKEN}),
    # An answer a pixel that looks at that pixel alone: moves along with everything.
    case(
        "kernel 1",
        module(lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.SiLU())),
        ALL | {"quarter-turns": EXACT, "reflection": EXACT, "channel-permutation": BROKEN},
    ),
    # Gray pictures have no channels to permute: nothing to measure.
    case(
        "one channel",
        module(lambda: pooled(nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular"), nn.SiLU())),
        {"translation": EXACT, "channel-permutation": UNMEASURED},
        inputs=lambda seed, dtype: noise(seed, dtype, shape=(1, 16, 16)),
    ),
]
