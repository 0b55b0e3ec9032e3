"""Padding: the values that a convolution reads where its kernel extends past the border.

The values are those of `torch.nn.functional.pad`. Torch implements `circular` as a chain of slices; here the border is copied
line by line, forward and backward, so that an epoch of claim C2's net takes half the time. For `replicate` and `reflect` the two
are similar on a CPU: torch's is about a tenth faster in float32, this one a tenth faster in bfloat16 (LOG.md, 2026-11-23). On a
GPU, torch adds up the gradients of `replicate` and `reflect` in no fixed order; here the order is fixed, so that a seed gives the
same bits again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Mode = Literal["zeros", "replicate", "reflect", "circular"]
Sides: TypeAlias = tuple[int, int, int, int]  # pixels on the left, on the right, at the top and at the bottom, as in `F.pad`
OUTSIDE = -1  # the index of zero padding, which reads no input pixel


@dataclass(frozen=True)
class Padding:
    """A padding of `width` pixels on each side, filled according to `mode`. Raises ValueError for another mode or width."""

    mode: Mode
    width: int

    def __post_init__(self) -> None:
        check_mode(self.mode)
        if self.width < 0:
            raise ValueError(f"a padding of {self.width} pixels is negative: it must be at least 0")


def check_mode(mode: str) -> None:
    """Raise ValueError for a mode that there is not."""
    if mode not in get_args(Mode):
        raise ValueError(f"padding mode {mode!r} is unknown: choose one of {', '.join(get_args(Mode))}")


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


def check_width(size: tuple[int, int], width: int | Sides, mode: Mode) -> None:
    """Raise ValueError for a negative width, and if an image of this size (height, width) is too small for the padding."""
    left, right, top, bottom = sides(width)
    if min(left, right, top, bottom) < 0:
        raise ValueError(f"a padding of {min(left, right, top, bottom)} pixels is negative: it must be at least 0")
    for axis, most in ((0, max(top, bottom)), (1, max(left, right))):
        least = {"zeros": 1, "replicate": 1, "reflect": most + 1, "circular": most}[mode]
        if size[axis] < least:
            raise ValueError(
                f"{mode} padding of {most} needs at least {least} pixels per side, but the image is {size[0]}×{size[1]}"
            )


def sides(width: int | Sequence[int]) -> Sides:
    """(left, right, top, bottom) of one width for all sides or of these four. Raises ValueError for another number of widths."""
    if isinstance(width, int):
        return (width,) * 4
    if len(width) != 4:
        raise ValueError(f"a padding has one width, or four: left, right, top, bottom; not {tuple(width)}")
    left, right, top, bottom = width
    return left, right, top, bottom


class _Pad(torch.autograd.Function):
    """Copies the border from the interior: columns first, then whole rows, so that the corners are right.

    The function is linear, so its forward-mode derivative is the function itself.
    """

    @staticmethod
    def forward(x: Tensor, widths: Sides, mode: Mode) -> Tensor:
        left, right, top, bottom = widths
        n, c, h, w = x.shape
        channels_last = x.is_contiguous(memory_format=torch.channels_last)
        memory_format = torch.channels_last if channels_last else torch.contiguous_format
        shape = (n, c, top + h + bottom, left + w + right)
        out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=memory_format)
        out[:, :, top : top + h, left : left + w] = x
        for dim, borders, lines in (
            (3, _borders(w, left, right, mode), out[:, :, top : top + h]),
            (2, _borders(h, top, bottom, mode), out),
        ):
            for border, source in borders:
                lines.select(dim, border).copy_(lines.select(dim, source))
        return out  # (N, C, top + H + bottom, left + W + right)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Sides, Mode], output: Tensor) -> None:
        _, ctx.widths, ctx.mode = inputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (left, right, top, bottom), mode = ctx.widths, ctx.mode
        h, w = grad.shape[2] - top - bottom, grad.shape[3] - left - right
        grad = grad.clone()
        for dim, borders, lines in (
            (2, _borders(h, top, bottom, mode), grad),
            (3, _borders(w, left, right, mode), grad[:, :, top : top + h]),
        ):
            for border, source in borders:
                lines.select(dim, source).add_(lines.select(dim, border))
        return grad[:, :, top : top + h, left : left + w], None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return pad(tangent, ctx.widths, ctx.mode)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None, None], x: Tensor, widths: Sides, mode: Mode) -> tuple[Tensor, int]:
        many = x.movedim(in_dims[0], 0)  # (B, N, C, H, W)
        out = pad(many.flatten(0, 1), widths, mode)
        return out.reshape(*many.shape[:2], *out.shape[1:]), 0


def _borders(size: int, before: int, after: int, mode: Mode) -> list[tuple[int, int]]:
    """Pairs (border line, interior line that it copies) along an axis, both counted in the padded tensor."""
    outside = [*range(-before, 0), *range(size, size + after)]
    return [(before + position, before + source_index(position, size, mode)) for position in outside]


def pad(x: Tensor, width: int | Sequence[int], mode: Mode) -> Tensor:
    """Pad the last two axes of x (N, C, H, W) or (C, H, W): by `width` pixels on every side, or by (left, right, top, bottom).

    Values and gradients equal those of `torch.nn.functional.pad(x, [left, right, top, bottom], mode)`; the memory format is kept.
    Raises ValueError for another number of axes, for an unknown mode, and if the image is too small for the padding.
    """
    check_mode(mode)
    if x.ndim not in (3, 4):
        raise ValueError(f"pad: x must have shape (N, C, H, W) or (C, H, W), but has {tuple(x.shape)}")
    widths = sides(width)
    check_width((x.shape[-2], x.shape[-1]), widths, mode)
    if not any(widths):
        return x
    if mode == "zeros":
        return F.pad(x, widths)
    out: Tensor = _Pad.apply(x if x.ndim == 4 else x[None], widths, mode)  # type: ignore[no-untyped-call]
    return out if x.ndim == 4 else out[0]


def output_size(size: int, kernel_size: int, stride: int, width: int) -> int:
    """The side after a convolution in pixels: ⌊(size + 2 width - kernel_size) / stride⌋ + 1, or 0 if the kernel does not fit."""
    return max((size + 2 * width - kernel_size) // stride + 1, 0)
