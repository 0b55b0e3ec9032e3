"""Convolutions of many nets at once, as one batched matrix product: fewer and larger kernels than a convolution a net.

    columns[b, (n, i, j), (u, v, c)] = x[b, n, c, s·i + u, s·j + v]        y[b, n, o, i, j] = columns[b] @ weight[b]

Convolutions in groups, one group a net, compute the same, but libraries have no fast kernels for groups of several channels. The
columns take k² / s² times the memory of x, and each of the three products (the output, and the gradients of x and of the weights)
is one call for all nets. Sums are in a fixed order, so that the same inputs give the same bits.

Source: Chellapilla, Puri & Simard, "High Performance Convolutional Neural Networks for Document Processing", IWFHR 2006.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

PARTS = 25  # of the sum over images in a weight's gradient: enough products to occupy a GPU


class StackedConvolutions(TorchFunctionMode):
    """A context in which `conv2d` under `torch.vmap` over weights, without bias, dilation and groups, is a batched product."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is not torch.conv2d:
            return function(*args, **(kwargs or {}))
        return conv2d(*args, **(kwargs or {}))


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: None = None,
    stride: Sequence[int] = (1, 1),
    padding: int | Sequence[int] = 0,
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """x (N, C, H, W), weight (O, C, k, k) -> (N, O, h, w), inside `torch.vmap`. Zero padding; both axes alike.

    Raises ValueError for what stacked convolutions lack: a bias, dilation, groups, and two strides or widths of padding.
    """
    widths = {padding} if isinstance(padding, int) else set(padding)
    if bias is not None or groups != 1 or set(dilation) != {1} or len(set(stride)) > 1 or len(widths) > 1:
        raise ValueError("a stacked convolution has one stride and one width of padding, and neither bias, dilation nor groups")
    device = x.device.type
    if torch.is_autocast_enabled(device):  # as autocast does for torch's own convolutions
        dtype = torch.get_autocast_dtype(device)
        x, weight = x.to(dtype), weight.to(dtype)
    out: Tensor = _OneNet.apply(x, weight, stride[0], widths.pop())  # type: ignore[no-untyped-call]
    return out


class _OneNet(torch.autograd.Function):
    """The convolution of one net as `torch.vmap` sees it."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        raise RuntimeError("a stacked convolution needs torch.vmap over the weights of several nets")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], x: Tensor, weight: Tensor, stride: int, padding: int
    ) -> tuple[Tensor, int]:
        many = (
            one.expand(info.batch_size, *one.shape) if axis is None else one.movedim(axis, 0)
            for one, axis in zip((x, weight), in_dims[:2], strict=True)
        )
        return _AllNets.apply(*many, stride, padding), 0  # type: ignore[no-untyped-call]


class _AllNets(torch.autograd.Function):
    """x (B, N, C, H, W), weight (B, O, C, k, k) -> (B, N, O, h, w), with each pixel's channels side by side in memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        nets, o, _, k, _ = weight.shape
        pixels = x.permute(0, 1, 3, 4, 2)  # (B, N, H, W, C)
        if padding:
            pixels = F.pad(pixels, [0, 0, *[padding] * 4])
        windows = unfolded(pixels, k, stride)  # (B, N, h, w, k, k, C)
        n, h, w = windows.shape[1:4]
        columns = windows.view(nets, n * h * w, -1)  # (B, N·h·w, k·k·C)
        matrices = weight.permute(0, 3, 4, 2, 1).reshape(nets, -1, o)  # (B, k·k·C, O)
        # New memory and no view, because the rectifier that follows works in place.
        strides = (n * h * w * o, h * w * o, 1, w * o, o)
        y = torch.empty_strided((nets, n, o, h, w), strides, dtype=x.dtype, device=x.device)
        torch.bmm(columns, matrices, out=y.permute(0, 1, 3, 4, 2).view(nets, n * h * w, o))
        ctx.save_for_backward(columns, matrices)
        ctx.padded, ctx.k, ctx.stride, ctx.padding = pixels.shape, k, stride, padding
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        columns, matrices = ctx.saved_tensors
        nets, n, height, width, c = ctx.padded
        k, p, (o, h, w) = ctx.k, ctx.padding, grad.shape[2:]
        rows = grad.permute(0, 1, 3, 4, 2).reshape(nets, n * h * w, o)  # (B, N·h·w, O)
        grad_x, grad_weight = None, None
        if ctx.needs_input_grad[0]:
            windows = torch.bmm(rows, matrices.transpose(1, 2)).view(nets, n, h, w, k, k, c)
            pixels = folded(windows, (height, width), ctx.stride)[:, :, p : height - p, p : width - p]
            grad_x = pixels.permute(0, 1, 4, 2, 3)  # (B, N, C, H, W)
        if ctx.needs_input_grad[1]:
            products = summed_product(columns, rows, n).view(nets, k, k, c, o)
            grad_weight = products.permute(0, 4, 3, 1, 2).contiguous()  # (B, O, C, k, k)
        return grad_x, grad_weight, None, None


def unfolded(pixels: Tensor, k: int, stride: int) -> Tensor:
    """The k × k pixels that each output pixel reads: (B, N, H, W, C) -> (B, N, h, w, k, k, C), in new memory."""
    windows = pixels.unfold(2, k, stride).unfold(3, k, stride)  # (B, N, h, w, C, k, k)
    return windows.permute(0, 1, 2, 3, 5, 6, 4).contiguous()


def folded(windows: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """The transpose of `unfolded`: for every pixel of an image of `size` the sum over the windows that read it."""
    nets, n, h, w, k, _, c = windows.shape
    pixels = windows.new_empty(nets, n, *size, c)
    # The first term of a pixel is copied instead of added to zero, which saves a pass over memory; not all pixels have one.
    for rest in (pixels[:, :, stride * h :], pixels[:, :, :, stride * w :]) if stride <= k else (pixels,):
        rest.zero_()
    for u in range(k):
        for v in range(k):
            target = pixels[:, :, u : u + stride * h : stride, v : v + stride * w : stride]
            first = u < stride and v < stride
            target.copy_(windows[:, :, :, :, u, v]) if first else target.add_(windows[:, :, :, :, u, v])
    return pixels  # (B, N, H, W, C)


def summed_product(columns: Tensor, rows: Tensor, images: int) -> Tensor:
    """columnsᵀ @ rows of each net, (B, R, K) and (B, R, O) -> (B, K, O), as the sum of several parts of the images."""
    nets, parts = len(columns), max(part for part in range(1, PARTS + 1) if images % part == 0)
    left, right = (one.view(nets * parts, -1, one.shape[2]) for one in (columns, rows))
    products = torch.bmm(left.transpose(1, 2), right).view(nets, parts, left.shape[2], right.shape[2])
    return products.sum(1, dtype=torch.promote_types(rows.dtype, torch.float32)).to(rows.dtype)
