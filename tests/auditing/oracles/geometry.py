"""Models whose outputs could be read in several ways, or lie on a grid that is not simply H / h: images and series."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from auditing.oracles.images import Averaged, Patches, coordinates, noise, strong, turn
from auditing.oracles.series import ramp, waves
from torch import Tensor, nn
from torch.nn import functional

Step = Callable[[Tensor], Tensor]


class Steps(nn.Module):
    """Functions and modules, one after the other."""

    def __init__(self, *steps: Step):
        super().__init__()
        self.steps = steps
        self.parts = nn.ModuleList(step for step in steps if isinstance(step, nn.Module))

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x


def conv(into: int, kernel: int, out: int = 8, **more: Any) -> nn.Module:
    """With a nonlinearity behind it. padding: a number of zeros; `circular=`: wrapped around instead."""
    wrap = more.pop("circular", 0)
    layer = strong(nn.Conv2d(into, out, kernel, **more))
    return Steps(lambda x: functional.pad(x, (wrap,) * 4, mode="circular") if wrap else x, layer, nn.SiLU())


def conv1d(into: int, kernel: int, **more: Any) -> nn.Module:
    wrap = more.pop("circular", 0)
    layer = nn.Conv1d(into, 6, kernel, **more)
    nn.init.normal_(layer.weight, std=2 * layer.weight[0].numel() ** -0.5)
    return Steps(lambda x: functional.pad(x, (wrap, wrap), mode="circular") if wrap else x, layer, nn.SiLU())


def mean(h: Tensor) -> Tensor:
    return h.flatten(2).mean(2)


def heads(*shape: int) -> Step:
    return lambda h: h.unflatten(1, shape)


def gram(h: Tensor) -> Tensor:
    h = h.flatten(2)
    return h @ h.mT / h.shape[-1]


def classes_last(h: Tensor) -> Tensor:
    return h.permute(0, 2, 3, 1)


def first_channel(h: Tensor) -> Tensor:
    return h[:, 0]


def columns(h: Tensor) -> Tensor:
    """A row of features for each column of the image, (B, W, C)."""
    return h.mean(2).mT


def rows(h: Tensor) -> Tensor:
    """A row of features for each row of the image, (B, H, C)."""
    return h.mean(3).mT


def top_heavy(h: Tensor) -> Tensor:
    return h * torch.linspace(0, 2, h.shape[2], dtype=h.dtype, device=h.device)[:, None]


def symmetric(layer: nn.Conv2d) -> nn.Conv2d:
    with torch.no_grad():
        layer.weight.copy_((layer.weight + layer.weight.flip(-1)) / 2)
    return layer


def sized(*shape: int, n: int = 16) -> Callable[[int, torch.dtype], Tensor]:
    return lambda seed, dtype: noise(seed, dtype, n, shape)


LINES, TALL = sized(3, 8, 80), sized(3, 80, 8)


def quiet_ends(seed: int, dtype: torch.dtype) -> Tensor:
    """(16, 1, 80, 8) with something in the middle only."""
    x = noise(seed, dtype, 16, (1, 80, 8))
    x[:, :, :24] = x[:, :, 56:] = 0
    x[..., :3] = x[..., 5:] = 0
    return x


class StrongPositions(Patches):
    """Positions so strong that the picture hardly changes a token beside them: they are no vector that is invariant."""

    def __init__(self) -> None:
        super().__init__(True)
        self.mix = nn.Linear(8, 6)
        with torch.no_grad():
            self.positions.mul_(100)


def averaged(*steps: Step) -> nn.Module:
    """Over the symmetries of a square."""
    return Averaged(Steps(*steps), [turn(k, mirror) for k in range(4) for mirror in (False, True)])


def images(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"geometry: {name}",
        domain="images",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        **{"inputs": noise, **more},
    )


def series(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"geometry: series, {name}",
        domain="series",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        **{"inputs": waves, **more},
    )


SHIFTS = {"translation": EXACT, "translation-zeros": EXACT}
WRAPS_NOT = {"translation": BROKEN, "translation-zeros": EXACT}
MOVED = {"translation": EXACT}
LOST = {"translation": BROKEN}
TURNED = {"quarter-turns": EXACT, "reflection": EXACT}
TIME = {"time-shift": EXACT, "time-shift-zeros": EXACT}
LATE = {"time-shift": BROKEN}

GRIDS = [
    # Windows that lie inside the picture know no border: cell c sees what starts at stride·c, wherever that is.
    images("valid, 16 to 14", lambda: conv(3, 3), SHIFTS | {"quarter-turns": BROKEN, "reflection": BROKEN}),
    images("valid, 16 to 12", lambda: conv(3, 5), SHIFTS),
    images("valid twice", lambda: Steps(conv(3, 3), conv(8, 3)), SHIFTS),
    images("valid, dilated", lambda: conv(3, 3, dilation=2), SHIFTS),
    images("valid, oblong", lambda: conv(3, 5), SHIFTS, inputs=sized(3, 16, 24)),
    images("valid, even kernel, stride 2", lambda: conv(3, 4, stride=2), SHIFTS),
    images("valid, odd kernel, stride 2", lambda: conv(3, 3, stride=2), SHIFTS),
    images("valid, stride 3", lambda: conv(3, 5, stride=3), SHIFTS, inputs=sized(3, 18, 18)),
    # 16 -> 12 -> 6 -> 4: a quarter of the sides, but a stride of 2.
    images("valid, pooled, valid", lambda: Steps(conv(3, 5), nn.AvgPool2d(2), conv(8, 3)), SHIFTS),
    images("the same of coordinates", lambda: Steps(coordinates, conv(4, 5), nn.AvgPool2d(2), conv(8, 3)), LOST),
    images("valid, of coordinates", lambda: Steps(coordinates, conv(4, 3)), LOST),
    # Zeros that one layer meets at the border are what a shift with zeros brings in; wrapped around, others.
    images("zeros, then valid", lambda: Steps(conv(3, 3, padding=1), conv(8, 3)), WRAPS_NOT),
    images("full", lambda: conv(3, 3, padding=2), WRAPS_NOT),
    images("full, wrapped around", lambda: conv(3, 3, circular=2), SHIFTS),
    images("full, wide", lambda: conv(3, 7, padding=6), WRAPS_NOT),
    # The last of 15 and the first have no cell between them: what wraps around lies beside all cells.
    images("odd side, stride 2", lambda: conv(3, 3, stride=2, circular=1), MOVED, inputs=sized(3, 15, 15)),
    images("odd side, stride 2, zeros", lambda: conv(3, 3, stride=2, padding=1), LOST, inputs=sized(3, 15, 15)),
    images("finer than the picture", lambda: Steps(nn.Upsample(scale_factor=2), conv(3, 3, circular=1)), SHIFTS),
    images("mirrored kernel, valid", lambda: Steps(symmetric(strong(nn.Conv2d(3, 8, 3))), nn.SiLU()), {"reflection": EXACT}),
    images("oblong strides", lambda: conv(3, (4, 2), stride=(4, 2)), MOVED),
]

VECTORS = [
    # Four heads of ten classes are no map of 2 x 2 cells, nor two tokens before a grid.
    images("four heads", lambda: Steps(conv(3, 3, circular=1), mean, nn.Linear(8, 40), heads(4, 10)), SHIFTS),
    images("four heads of places", lambda: Steps(conv(3, 3, circular=1), nn.Flatten(), nn.Linear(2048, 40), heads(4, 10)), LOST),
    images("nine heads", lambda: Steps(conv(3, 3, circular=1), mean, nn.Linear(8, 45), heads(9, 5)), MOVED),
    images("five heads", lambda: Steps(conv(3, 3, circular=1), mean, nn.Linear(8, 20), heads(5, 4)), MOVED),
    images("sixteen heads", lambda: Steps(conv(3, 3, circular=1), mean, nn.Linear(8, 48), heads(16, 3)), MOVED),
    images(
        "sixteen heads of places", lambda: Steps(conv(3, 3, padding=1), nn.Flatten(), nn.Linear(2048, 48), heads(16, 3)), LOST
    ),
    images("a matrix of channels", lambda: Steps(conv(3, 3, circular=1), gram), MOVED),
    images("a matrix of channels, zeros", lambda: Steps(conv(3, 3, padding=1), gram), LOST, inputs=sized(3, 8, 8, n=24)),
    images("heads of matrices", lambda: Steps(conv(3, 3, circular=1), mean, nn.Linear(8, 32), heads(2, 4, 4)), MOVED),
    images(
        "four heads, averaged over a square",
        lambda: averaged(conv(3, 3, padding=1), nn.Flatten(), nn.Linear(2048, 40), heads(4, 10)),
        TURNED | LOST,
    ),
    # Seven queries fit no grid. That they stay, all of them, can be said; that they should, not.
    images("seven queries", lambda: Steps(conv(3, 3, circular=1), mean, nn.Linear(8, 35), heads(7, 5)), MOVED),
    images(
        "seven queries of places",
        lambda: Steps(conv(3, 3, circular=1), nn.Flatten(), nn.Linear(2048, 35), heads(7, 5)),
        {"translation": UNMEASURED},
    ),
    # Tokens that hardly change beside their strong positions are still tokens, which do not move along.
    images("strong positions", StrongPositions, LOST),
]

PIXELS = [
    images("a depth each pixel", lambda: Steps(conv(3, 3, circular=1), first_channel), SHIFTS),
    images("a depth each pixel, zeros", lambda: Steps(conv(3, 3, padding=1), first_channel), WRAPS_NOT),
    images("a depth from its pixel", lambda: Steps(conv(3, 1), first_channel), SHIFTS | TURNED),
    images("a depth each second pixel", lambda: Steps(conv(3, 2, stride=2), first_channel), SHIFTS),
    images("a depth, valid", lambda: Steps(conv(3, 3), first_channel), SHIFTS),
    images("classes last", lambda: Steps(conv(3, 3, circular=1), classes_last), SHIFTS),
    images("classes last, zeros", lambda: Steps(conv(3, 3, padding=1), classes_last), WRAPS_NOT),
    images("classes last, from the pixel", lambda: Steps(conv(3, 1), classes_last), SHIFTS | TURNED),
    images("classes last, half as fine", lambda: Steps(conv(3, 2, stride=2), classes_last), SHIFTS),
    images("a row each pixel", lambda: Steps(conv(3, 3, circular=1), lambda h: h.flatten(2).mT), SHIFTS),
]

STEPS = [
    # Steps move along their axis, and should not change along the other one.
    images("40 steps", lambda: Steps(conv(3, (1, 2), stride=(1, 2)), columns), SHIFTS | {"reflection": BROKEN}, inputs=LINES),
    images("39 steps, valid", lambda: Steps(conv(3, (1, 4), stride=(1, 2)), columns), SHIFTS, inputs=LINES),
    images("40 steps, rows differ", lambda: Steps(conv(3, (1, 2), stride=(1, 2)), top_heavy, columns), LOST, inputs=LINES),
    images("40 steps, every second row", lambda: Steps(conv(3, 2, stride=2), columns), LOST, inputs=LINES),
    images("as rows", lambda: Steps(conv(3, (2, 1), stride=(2, 1)), rows), SHIFTS | {"reflection": EXACT}, inputs=TALL),
    images("as rows, zeros", lambda: Steps(conv(3, 3, padding=1), rows), LOST, inputs=TALL),
    images(
        "as rows of a spectrogram",
        lambda: Steps(conv(1, (3, 1), padding=(1, 0)), rows),
        {"translation-zeros": EXACT},
        inputs=quiet_ends,
        options={"output": "steps:height"},
    ),
    images("a square, declared", lambda: Steps(conv(3, 3, circular=1), rows), SHIFTS, options={"output": "steps:height"}),
    images("a square, declared otherwise", lambda: Steps(conv(3, 3, circular=1), rows), LOST, options={"output": "steps:width"}),
    images("40 steps, zeros", lambda: Steps(conv(3, 4, stride=2, padding=1), columns), LOST, inputs=sized(3, 8, 80)),
    images(
        "40 steps, mirrored kernel",
        lambda: Steps(symmetric(strong(nn.Conv2d(3, 8, 2, stride=2))), nn.SiLU(), columns),
        {"reflection": EXACT},
        inputs=sized(3, 8, 80),
    ),
    images("80 steps", lambda: Steps(conv(3, 3, circular=1), columns), MOVED, inputs=sized(3, 8, 80)),
]

SERIES = [
    series("valid", lambda: conv1d(2, 3), TIME),
    series("valid, stride 2", lambda: conv1d(2, 4, stride=2), TIME),
    series("valid, stride 3", lambda: conv1d(2, 5, stride=3), TIME),
    series("valid, of a ramp", lambda: Steps(ramp, conv1d(2, 3)), LATE),
    series("full", lambda: conv1d(2, 3, padding=2), LATE | {"time-shift-zeros": EXACT}),
    series("full, wrapped around", lambda: conv1d(2, 3, circular=2), TIME),
    series("two heads", lambda: Steps(conv1d(2, 3, circular=1), mean, nn.Linear(6, 20), heads(2, 10)), TIME),
    series("two heads of places", lambda: Steps(conv1d(2, 3, circular=1), nn.Flatten(), nn.Linear(144, 20), heads(2, 10)), LATE),
    series("a matrix of channels", lambda: Steps(conv1d(2, 3, circular=1), gram), {"time-shift": EXACT}),
    series("steps first", lambda: Steps(conv1d(2, 3, circular=1), lambda h: h.mT), TIME),
    series("steps first, zeros", lambda: Steps(conv1d(2, 3, padding=1), lambda h: h.mT), LATE),
    series("steps first, stride 2", lambda: Steps(conv1d(2, 2, stride=2), lambda h: h.mT), TIME),
    series("steps first, valid", lambda: Steps(conv1d(2, 3), lambda h: h.mT), TIME),
]

CASES = [*GRIDS, *VECTORS, *PIXELS, *STEPS, *SERIES]
