"""Maps finer than their input, kernels that differ between the axes, tokens behind any number of others, spectrograms."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case
from auditing.oracles.geometry import LINES, Steps, columns, conv, conv1d, images, mean, rows, series, sized
from auditing.oracles.images import strong
from auditing.oracles.series import waves
from torch import Tensor, nn
from torch.nn import functional


def upward(kernel: int, stride: int, **more: Any) -> nn.Module:
    """A transposed convolution."""
    return Steps(strong(nn.ConvTranspose2d(3, 4, kernel, stride, **more)), nn.SiLU())


def upward1d(kernel: int, stride: int, **more: Any) -> nn.Module:
    layer = nn.ConvTranspose1d(2, 4, kernel, stride, **more)
    nn.init.normal_(layer.weight, std=2 * layer.weight[0].numel() ** -0.5)
    return Steps(layer, nn.SiLU())


def ramp(x: Tensor) -> Tensor:
    return x * torch.linspace(0, 2, x.shape[-1], dtype=x.dtype, device=x.device)


class Attention(nn.Module):
    """Patches of 4 x 4 behind `others` tokens; each attends to all. With positions, each patch has a vector of its own."""

    def __init__(self, others: int, positions: bool = False) -> None:
        super().__init__()
        self.embed, self.mix = strong(nn.Conv2d(3, 8, 4, stride=4)), nn.Linear(8, 24)
        self.others, self.positions = nn.Parameter(torch.randn(others, 8)), nn.Parameter(torch.randn(64, 8) * positions)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x).flatten(2).mT
        h = torch.cat([self.others.expand(len(x), -1, -1), h + self.positions[: h.shape[1]]], 1)
        query, key, value = self.mix(h).chunk(3, -1)
        return (h + (query @ key.mT / 8**0.5).softmax(-1) @ value).tanh()


class Spectrogram(nn.Module):
    """|STFT| with a hop of 4 of the first channel, (B, 5, t); its columns are in time. `center`: with reflected ends."""

    def __init__(self, center: bool, is_complex: bool = False) -> None:
        super().__init__()
        self.center, self.is_complex = center, is_complex

    def forward(self, x: Tensor) -> Tensor:
        window = torch.hann_window(8, dtype=x.dtype, device=x.device)
        y = torch.stft(x[:, 0], 8, 4, center=self.center, return_complex=True, window=window)
        return y if self.is_complex else y.abs()


def long(seed: int, dtype: torch.dtype) -> Tensor:
    return waves(seed, dtype, 40).reshape(16, 2, 60)


def as_tokens(h: Tensor) -> Tensor:
    return h.flatten(2).mT


def overlapping(h: Tensor) -> Tensor:
    """Wrapped around, for patches of 7 every 4."""
    return functional.pad(h, (2, 1, 2, 1), mode="circular")


SHIFTS = {"translation": EXACT, "translation-zeros": EXACT}
WITHIN, LOST = {"translation-zeros": EXACT}, {"translation": BROKEN}
TIME, LATE = {"time-shift": EXACT, "time-shift-zeros": EXACT}, {"time-shift": BROKEN}
Make = Callable[[], nn.Module]
FINER: list[tuple[str, Make, dict[str, str]]] = [
    # A transposed convolution with a stride of 2 puts two cells on each pixel, and as many more as its kernel is wide at the end.
    ("up, kernel 2", lambda: upward(2, 2), SHIFTS),
    ("up, kernel 4, padded", lambda: upward(4, 2, padding=1), WITHIN | LOST),
    ("up, 16 to 31", lambda: upward(3, 2, padding=1), WITHIN),
    ("up, 16 to 33", lambda: upward(3, 2), WITHIN),
    ("up, kernel 5, stride 3", lambda: upward(5, 3, padding=1), WITHIN),
    ("up, of a ramp", lambda: Steps(ramp, upward(3, 2, padding=1)), LOST | {"translation-zeros": BROKEN}),
    ("down and up again", lambda: Steps(conv(3, 3, stride=2, padding=1), nn.ConvTranspose2d(8, 4, 4, 2, 1)), LOST),
    ("shuffled", lambda: Steps(conv(3, 3, circular=1), nn.PixelShuffle(2)), SHIFTS),
    ("unshuffled", lambda: Steps(conv(3, 3, circular=1), nn.PixelUnshuffle(2)), SHIFTS),
    ("every second pixel", lambda: Steps(conv(3, 3, circular=1), lambda h: h[:, :, ::2, ::2]), SHIFTS),
    ("smoothed, then finer", lambda: Steps(conv(3, 2, stride=2), nn.Upsample(scale_factor=2, mode="bilinear")), LOST),
    # Of sixteen pixels, five windows start at 0, 3, 6, 9 and 12, and are 4 wide.
    ("adaptive, 5 cells", lambda: Steps(conv(3, 3, circular=1), nn.AdaptiveAvgPool2d(5)), {"translation": EXACT}),
    # Six windows are 3 and 4 wide by turns, but look the same every 8 pixels.
    ("adaptive, 6 cells", lambda: Steps(conv(3, 3, circular=1), nn.AdaptiveAvgPool2d(6)), {"translation": EXACT}),
    ("adaptive, of a ramp", lambda: Steps(ramp, conv(3, 3, circular=1), nn.AdaptiveAvgPool2d(6)), LOST),
    # A kernel of 3 x 7 leaves another number of cells along each axis.
    ("kernel 3 x 7", lambda: conv(3, (3, 7)), SHIFTS),
    ("kernel 3 x 7, of a ramp", lambda: Steps(ramp, conv(3, (3, 7))), LOST | {"translation-zeros": BROKEN}),
    ("kernel 3 x 7, padded along one axis", lambda: conv(3, (3, 7), padding=(1, 0)), WITHIN),
    ("kernel 3 x 7, strides 1 x 2", lambda: conv(3, (3, 7), stride=(1, 2)), SHIFTS),
    # Patches that overlap.
    ("overlapping patches", lambda: Steps(overlapping, conv(3, 7, stride=4), as_tokens), {"translation": EXACT}),
    ("overlapping patches, zeros", lambda: Steps(conv(3, 7, stride=4, padding=3), as_tokens), LOST),
    ("as many classes as columns", lambda: Steps(conv(3, 3, 16, circular=1), lambda h: h.permute(0, 2, 3, 1)), SHIFTS),
    ("as many classes as columns, zeros", lambda: Steps(conv(3, 3, 16, padding=1), lambda h: h.permute(0, 2, 3, 1)), LOST),
    ("300 queries", lambda: Steps(conv(3, 3, circular=1), mean, nn.Linear(8, 1800), nn.Unflatten(1, (300, 6))), SHIFTS),
]
MOVED, WIDE = {"translation": EXACT}, sized(3, 32, 32)
TOKENS = [
    images("no other tokens", lambda: Attention(0), MOVED),
    images("a class token", lambda: Attention(1), MOVED),
    images("a class token, positions", lambda: Attention(1, True), LOST),
    images("3 registers", lambda: Attention(3), MOVED),
    images("a class token and 4 registers", lambda: Attention(5), MOVED),
    images("8 registers", lambda: Attention(8), MOVED),
    # 24 tokens are not taken for a grid behind 8 others, unless that is declared.
    images("8 registers, positions", lambda: Attention(8, True), {"translation": UNMEASURED}),
    images("8 registers, positions, declared", lambda: Attention(8, True), LOST, options={"output": "tokens"}),
    # 81 tokens could be a grid of 9 x 9.
    images("a class token and 16 registers", lambda: Attention(17), MOVED, inputs=WIDE),
    images("a class token and 16 registers, positions", lambda: Attention(17, True), LOST, inputs=WIDE),
]
STEPS = [
    images("a row for each row", lambda: Steps(conv(1, (1, 5)), rows), LOST, inputs=sized(1, 40, 12)),
    images("a row for each row, wrapped around", lambda: Steps(conv(1, 3, circular=1), rows), SHIFTS, inputs=sized(1, 40, 12)),
    images(
        "columns that know their rows", lambda: Steps(conv(3, 3, circular=1), lambda h: h.flatten(1, 2).mT), LOST, inputs=LINES
    ),
    images("columns, summed up", lambda: Steps(conv(3, 3, circular=1), columns, lambda h: h.cumsum(1)), LOST, inputs=LINES),
]
SERIES: list[Case] = [
    series("up, kernel 2", lambda: upward1d(2, 2), TIME),
    series("up, 24 to 49", lambda: upward1d(3, 2), LATE | {"time-shift-zeros": EXACT}),
    series("up, stride 3, padded", lambda: upward1d(5, 3, padding=1), {"time-shift-zeros": EXACT}),
    series("up, of a ramp", lambda: Steps(ramp, upward1d(3, 2)), LATE | {"time-shift-zeros": BROKEN}),
    series("few steps, far apart", lambda: conv1d(2, 3, stride=4, dilation=2), TIME, inputs=long),
    series("spectrogram", lambda: Spectrogram(False), TIME, inputs=long),
    series("spectrogram, complex", lambda: Spectrogram(False, True), TIME, inputs=long),
    series("spectrogram, reflected ends", lambda: Spectrogram(True), LATE, inputs=long),
    series("patches", lambda: Steps(conv1d(2, 4, stride=4), lambda h: h.mT), {"time-shift": EXACT}),
    series("patches, positions", lambda: Steps(conv1d(2, 4, stride=4), lambda h: ramp(h).mT), LATE),
]
CASES = [*(images(name, make, expected) for name, make, expected in FINER), *TOKENS, *STEPS, *SERIES]
