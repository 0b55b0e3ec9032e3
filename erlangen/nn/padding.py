"""Padding: the values that a convolution reads where its kernel extends past the border.

The values are those of `torch.nn.functional.pad`. Torch implements `circular` as a chain of slices; here the border is copied
line by line, forward and backward, so that an epoch of claim C2's net takes half the time. For `replicate` and `reflect` the two
are similar on a CPU: torch's is about a tenth faster in float32, this one a tenth faster in bfloat16 (LOG.md, 2026-11-23). On a
GPU, torch adds up the gradients of `replicate` and `reflect` in no fixed order; here the order is fixed, so that a seed gives the
same bits again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Mode = Literal["zeros", "replicate", "reflect", "circular"]
OUTSIDE = -1  # the index of zero padding, which reads no input pixel


@dataclass(frozen=True)
class Padding:
    """A padding of `width` pixels on each side, filled according to `mode`."""

    mode: Mode
    width: int


PADDINGS: dict[str, Padding] = {
    "valid": Padding("zeros", 0),
    "sconv": Padding("zeros", 1),
    "fconv": Padding("zeros", 2),
    "replicate": Padding("replicate", 2),
    "reflect": Padding("reflect", 2),
    "circular": Padding("circular", 2),
}
"""The six paddings of claim C2, for 3×3 kernels. `sconv` keeps the size; `fconv` applies every weight to every pixel."""


def source_index(position: int, size: int, mode: Mode) -> int:
    """The input position in [0, size) that is read at `position`, which may be outside the image; OUTSIDE for a zero.

    Outside: zeros -> OUTSIDE; replicate -> the nearest pixel; reflect -> mirrored at the border pixel, which is not repeated;
    circular -> position mod size.
    """
    if 0 <= position < size:
        return position
    if mode == "replicate":
        return min(max(position, 0), size - 1)
    if mode == "circular":
        return position % size
    if mode == "reflect":
        return abs(position) if position < 0 else 2 * (size - 1) - position
    return OUTSIDE


def check_width(size: tuple[int, int], width: int, mode: Mode) -> None:
    """Raise ValueError for a negative width, and if an image of this size (height, width) is too small for the padding."""
    if width < 0:
        raise ValueError(f"a padding of {width} pixels is negative: it must be at least 0")
    least = {"zeros": 1, "replicate": 1, "reflect": width + 1, "circular": width}[mode]
    if min(size) < least:
        raise ValueError(
            f"{mode} padding of {width} needs at least {least} pixels per side, but the image is {size[0]}×{size[1]}"
        )


class _Pad(torch.autograd.Function):
    """Copies the border from the interior: columns first, then whole rows, so that the corners are right.

    The function is linear, so its forward-mode derivative is the function itself.
    """

    @staticmethod
    def forward(x: Tensor, width: int, mode: Mode) -> Tensor:
        n, c, h, w = x.shape
        channels_last = x.is_contiguous(memory_format=torch.channels_last)
        memory_format = torch.channels_last if channels_last else torch.contiguous_format
        out = torch.empty((n, c, h + 2 * width, w + 2 * width), dtype=x.dtype, device=x.device, memory_format=memory_format)
        out[:, :, width : width + h, width : width + w] = x
        for dim, size, lines in ((3, w, out[:, :, width : width + h]), (2, h, out)):
            for border, source in _border(size, width, mode):
                lines.select(dim, border).copy_(lines.select(dim, source))
        return out  # (N, C, H + 2 width, W + 2 width)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Mode], output: Tensor) -> None:
        _, ctx.width, ctx.mode = inputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        width, mode = ctx.width, ctx.mode
        h, w = grad.shape[2] - 2 * width, grad.shape[3] - 2 * width
        grad = grad.clone()
        for dim, size, lines in ((2, h, grad), (3, w, grad[:, :, width : width + h])):
            for border, source in _border(size, width, mode):
                lines.select(dim, source).add_(lines.select(dim, border))
        return grad[:, :, width : width + h, width : width + w], None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return pad(tangent, ctx.width, ctx.mode)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None, None], x: Tensor, width: int, mode: Mode) -> tuple[Tensor, int]:
        many = x.movedim(in_dims[0], 0)  # (B, N, C, H, W)
        out = pad(many.flatten(0, 1), width, mode)
        return out.reshape(*many.shape[:2], *out.shape[1:]), 0


def _border(size: int, width: int, mode: Mode) -> list[tuple[int, int]]:
    """Pairs (border line, interior line that it copies) along an axis, both counted in the padded tensor."""
    outside = [*range(-width, 0), *range(size, size + width)]
    return [(width + position, width + source_index(position, size, mode)) for position in outside]


def pad(x: Tensor, width: int, mode: Mode) -> Tensor:
    """Pad the last two axes of x (N, C, H, W) by `width` on every side -> (N, C, H + 2 width, W + 2 width).

    Values and gradients equal those of `torch.nn.functional.pad(x, [width] * 4, mode)`; the memory format is kept.
    Raises ValueError for another number of axes, and if the image is too small for the padding.
    """
    if x.ndim != 4:
        raise ValueError(f"pad: x must have shape (N, C, H, W), but has {tuple(x.shape)}")
    check_width((x.shape[2], x.shape[3]), width, mode)
    if width == 0:
        return x
    if mode == "zeros":
        return F.pad(x, [width] * 4)
    out: Tensor = _Pad.apply(x, width, mode)  # type: ignore[no-untyped-call]
    return out


def output_size(size: int, kernel_size: int, stride: int, width: int) -> int:
    """The side after a convolution in pixels: ⌊(size + 2 width - kernel_size) / stride⌋ + 1, or 0 if the kernel does not fit."""
    return max((size + 2 * width - kernel_size) // stride + 1, 0)


class PaddedConv2d(nn.Conv2d):
    """A bias-free convolution with one of the paddings above.

        y[o, i, j] = Σ_c Σ_{a,b} weight[o, c, a, b] · pad(x)[c, s·i + a, s·j + b]        (a correlation, as in conv2d)

    Input (N, in_channels, H, W), output (N, out_channels, H', W') with H' = `output_size(H, ...)`. Weights are initialized as in
    `nn.Conv2d`, so that a seed gives the same weights for every padding.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: Padding) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, bias=False)
        self.border = padding

    def forward(self, x: Tensor) -> Tensor:
        width, mode = self.border.width, self.border.mode
        # Torch's zero padding is fastest in float32. In bfloat16 and for width 2 its weight gradient is 3 to 8 times slower than
        # that of a copy that is padded beforehand.
        if mode == "zeros" and not (width > 1 and _bfloat16(x)):
            return F.conv2d(x, self.weight, None, self.stride, width)
        return F.conv2d(pad(x, width, mode), self.weight, None, self.stride)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}, {self.border}"


def _bfloat16(x: Tensor) -> bool:
    device = x.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device) == torch.bfloat16
    return x.dtype == torch.bfloat16
