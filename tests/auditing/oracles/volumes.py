"""Models of volumes (B, 2, 6, 8, 8): as of images, with one axis more."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, Case, served
from auditing.oracles.geometry import Steps
from torch import Tensor, nn

Pads = int | tuple[int, ...]


def scans(seed: int, dtype: torch.dtype, shape: tuple[int, ...] = (2, 6, 8, 8)) -> Tensor:
    """White noise around 0.5, (10, C, D, H, W)."""
    rng = torch.Generator().manual_seed(8000 + seed)
    return torch.randn(10, *shape, generator=rng, dtype=torch.float64).add(0.5).to(dtype)


def cubes(seed: int, dtype: torch.dtype) -> Tensor:
    return scans(seed, dtype, (2, 6, 6, 6))


def channels_last(seed: int, dtype: torch.dtype) -> Tensor:
    return scans(seed, dtype).movedim(1, -1)


def gray(seed: int, dtype: torch.dtype) -> Tensor:
    """Without an axis of channels, (10, D, H, W)."""
    return scans(seed, dtype)[:, 0]


def conv(mode: str = "circular", into: int = 2, padding: Pads = 1, **more: Any) -> nn.Module:
    layer = nn.Conv3d(into, 4, more.pop("kernel", 3), padding=padding, padding_mode=mode, **more)
    nn.init.normal_(layer.weight, std=2 * layer.weight[0].numel() ** -0.5)
    return Steps(layer, nn.SiLU())


def mean(h: Tensor) -> Tensor:
    return h.mean((2, 3, 4))


def tokens(h: Tensor) -> Tensor:
    return h.flatten(2).mT


def with_class(h: Tensor) -> Tensor:
    """Behind a token that knows no place."""
    return torch.cat([h.amax((2, 3, 4))[:, None], tokens(h)], 1)


def depth_ramp(x: Tensor) -> Tensor:
    """Deeper slices are brighter."""
    return x * torch.linspace(0.2, 2, x.shape[2], dtype=x.dtype, device=x.device)[:, None, None]


class Isotropic(nn.Module):
    """One weight for the center and one for the faces of a kernel, or one for each axis: alike in all directions or not."""

    def __init__(self, axes: tuple[float, float, float] = (1, 1, 1)) -> None:
        super().__init__()
        kernel = torch.zeros(3, 3, 3)
        for axis, weight in enumerate(axes):
            kernel.movedim(axis, 0)[[0, 2], 1, 1] = weight
        self.kernel = nn.Parameter((kernel - torch.nn.functional.pad(torch.ones(1, 1, 1), (1,) * 6)).expand(2, 1, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(x, (1,) * 6, mode="circular")
        return torch.nn.functional.conv3d(padded, self.kernel, groups=2).sin()


def case(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"volumes: {name}",
        domain="volumes",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        **{"inputs": scans, **more},
    )


SHIFTS = {"translation": EXACT, "translation-zeros": EXACT}
LOST = {"translation": BROKEN}
WAYS = {"quarter-turns": BROKEN, "reflection": BROKEN}
ALIKE = {"quarter-turns": EXACT, "reflection": EXACT}

CASES = [
    case("circular", conv, SHIFTS | WAYS),
    case("zeros", lambda: Steps(conv("zeros"), conv("zeros", 4)), LOST | {"translation-zeros": BROKEN}),
    case("valid", lambda: conv(padding=0), SHIFTS),
    case("circular, pooled", lambda: Steps(conv(), mean, nn.Linear(4, 5)), SHIFTS | {"channel-permutation": BROKEN}),
    case("zeros, pooled", lambda: Steps(conv("zeros"), mean, nn.Linear(4, 5)), LOST, inputs=cubes),
    case("flattened", lambda: Steps(conv(), nn.Flatten(), nn.Linear(1536, 5)), LOST | {"reflection": BROKEN}),
    case("stride 2", lambda: conv(stride=2), SHIFTS),
    case("stride 2, pooled", lambda: Steps(conv(stride=2), mean, nn.Linear(4, 5)), LOST),
    case("strides in the slices alone", lambda: conv(stride=(1, 2, 2)), SHIFTS),
    case("kernel 1", lambda: conv(kernel=1, padding=0), SHIFTS | ALIKE, inputs=cubes),
    case("kernel 1, unequal sides", lambda: conv(kernel=1, padding=0), SHIFTS | ALIKE),
    case("a ramp", lambda: Steps(depth_ramp, conv()), LOST | {"reflection": BROKEN}),
    # A kernel with one weight for all six neighbors looks alike in all directions; otherwise it has its mirrors.
    case("isotropic", Isotropic, SHIFTS | ALIKE, inputs=cubes),
    case("thick slices", lambda: Isotropic((2, 1, 1)), {"quarter-turns": BROKEN, "reflection": EXACT}, inputs=cubes),
    case("isotropic, pooled", lambda: Steps(Isotropic(), torch.square, mean), SHIFTS | ALIKE),
    # Other forms of a map.
    case("classes last", lambda: Steps(conv(), lambda h: h.movedim(1, -1)), SHIFTS),
    case("a number each voxel", lambda: Steps(conv(), lambda h: h[:, 0]), SHIFTS),
    case("a number each voxel, turned", lambda: Steps(conv(kernel=1, padding=0), lambda h: h[:, 0]), ALIKE),
    case("a number each voxel, zeros", lambda: Steps(conv("zeros"), lambda h: h[:, 0]), LOST),
    case("class ids", lambda: Steps(conv(), lambda h: h.argmax(1)), {"translation": EXACT}),
    case("patches", lambda: Steps(conv(kernel=2, padding=0, stride=2), tokens), SHIFTS),
    case("patches behind a class token", lambda: Steps(conv(kernel=2, padding=0, stride=2), with_class), {"translation": EXACT}),
    case("patches with places", lambda: Steps(depth_ramp, conv(kernel=2, padding=0, stride=2), tokens), LOST),
    case("heads", lambda: Steps(conv(), mean, nn.Linear(4, 12), lambda h: h.unflatten(1, (3, 4))), SHIFTS),
    # As the inputs have their axes.
    case("channels last", lambda: conv(), SHIFTS, inputs=channels_last),
    case("no channels", lambda: Steps(lambda x: x[:, None], conv(into=1), lambda h: h[:, 0]), SHIFTS, inputs=gray),
]
