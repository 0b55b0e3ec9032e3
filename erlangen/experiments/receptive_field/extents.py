"""The theoretical receptive field, counted: which inputs an output depends on at all.

    convolution, residual   1 + L (k - 1) pixels to a side after L layers of k×k kernels
    strided                 1 + (k - 1)(2^L - 1): every layer of stride 2 doubles what a pixel of the next one spans
    dilated                 the same, with taps 1, 2, 4, ... pixels apart
    full, causal            every token; every token up to it
    window                  L (w - 1) + 1 tokens up to it

With positive weights no two paths cancel: the gradient is exactly 0 only where there is no path. With weights of any sign it must
be exactly 0 outside of the field. Source: Araujo, Norris & Sim, "Computing receptive fields of convolutional neural networks",
Distill 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from erlangen.experiments.receptive_field.tasks import TOKENS, WINDOW, Extent, FieldName
from erlangen.measure.receptive_field import field_extent, gradient_field
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import context
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

FEATURES = 2
MARGIN = 2  # pixels around the field that a net sees and must not read


def extent(task: Extent, job: Job) -> list[Measurement]:
    """For each depth: inputs that one output reads along a row, and inputs that are read against the formula or not read."""
    seed_everything(job.seed)
    count = attention_reads if task.kernel == 0 else convolution_reads
    found = [count(task, depth) for depth in range(1, task.layers + 1)]
    names = ("read", "wrong", "wrong_if_smaller", "cases")
    return [Measurement(name, tuple(map(float, values))) for name, values in zip(names, zip(*found, strict=True), strict=True)]


def size(field: FieldName, kernel: int, depth: int) -> int:
    """The pixels of a field's side, or the tokens that the last one reads, by formula."""
    if field in ("full", "causal"):
        return TOKENS
    if field == "window":
        return min(depth * (WINDOW - 1) + 1, TOKENS)
    return 1 + (kernel - 1) * (2**depth - 1 if field in ("strided", "dilated") else depth)


def convolution_reads(task: Extent, depth: int) -> tuple[int, int, int, int]:
    """Side of the field; pixels that differ from the formula, and from a field one pixel smaller; pixels looked at."""
    side = size(task.field, task.kernel, depth)
    positive, signed = (gradients(task, depth, side, positive=sign) for sign in (True, False))
    inside = torch.zeros(positive.shape, dtype=torch.bool)
    inside[MARGIN : MARGIN + side, MARGIN : MARGIN + side] = True
    smaller = inside.clone()
    smaller[MARGIN], smaller[:, MARGIN] = False, False
    wrong, wrong_if_smaller = (int(((positive != 0) != of).sum() + (signed != 0)[~of].sum()) for of in (inside, smaller))
    extents = field_extent(positive)
    read = extents[0] if extents[0] == extents[1] else 0
    return read, wrong, wrong_if_smaller, positive.numel() + int((~inside).sum())


def gradients(task: Extent, depth: int, side: int, positive: bool) -> Tensor:
    """The squared gradient of one output in float64 on a square with a margin around its field."""
    kernels = [torch.randn(FEATURES, FEATURES, task.kernel, task.kernel, dtype=torch.float64) for _ in range(depth)]
    if positive:
        kernels = [kernel.abs() for kernel in kernels]
    x = torch.rand(1, FEATURES, side + 2 * MARGIN, side + 2 * MARGIN, dtype=torch.float64)
    return gradient_field(corner(task, kernels), x, generator=Generator().manual_seed(depth))


def corner(task: Extent, kernels: list[Tensor]) -> Callable[[Tensor], Tensor]:
    """Image -> the features of the output whose field begins MARGIN pixels from the upper left corner, (1, FEATURES).

    Nothing is padded, so that output 0 begins at pixel 0 of what is left of the image.
    """
    strides = 2 if task.field == "strided" else 1

    def outputs(image: Tensor) -> Tensor:
        x = image[:, :, MARGIN:, MARGIN:]
        for depth, kernel in enumerate(kernels):
            gap = 2**depth if task.field == "dilated" else 1
            y = F.conv2d(x, kernel / kernel.abs().sum() * FEATURES, stride=strides, dilation=gap)
            trimmed = x[:, :, task.kernel // 2 :, task.kernel // 2 :][:, :, : y.shape[2], : y.shape[3]]
            x = F.leaky_relu(y, 0.5) + (trimmed if task.field == "residual" else 0)
        return x[:, :, 0, 0]

    return outputs


def attention_reads(task: Extent, depth: int) -> tuple[int, int, int, int]:
    """Tokens that the last one reads; pairs of tokens that differ from the formula, and from one token less; pairs looked at."""
    reads = torch.stack([gradient_field(token, x) for token, x in tokens_of(task.field, depth)]) != 0  # (reader, read)
    behind = torch.arange(TOKENS)[:, None] - torch.arange(TOKENS)
    reached = size(task.field, 0, depth)
    inside = behind < reached if task.field == "full" else (behind >= 0) & (behind < reached)
    first = (torch.arange(TOKENS)[:, None] - reached + 1).clamp(min=0) == torch.arange(TOKENS)  # the farthest token before
    wrong, wrong_if_smaller = (int((reads != of).sum()) for of in (inside, inside & ~first))
    return int(reads[-1].sum()), wrong, wrong_if_smaller, reads.numel()


@torch.no_grad()
def tokens_of(field: FieldName, depth: int) -> list[tuple[Callable[[Tensor], Tensor], Tensor]]:
    """For each token a function from all embeddings to what the last layer makes of it, and embeddings to call it with."""
    config = GPTConfig(
        vocabulary=2, block=TOKENS, layers=depth, heads=2, width=8, positions="none", dropout=0.0,
        window=WINDOW if field == "window" else None,
    )  # fmt: skip
    gpt = GPT(config).double().eval()
    embeddings = torch.randn(1, config.width, TOKENS, dtype=torch.float64)

    def states(x: Tensor) -> Tensor:
        h = x.transpose(1, 2)  # (1, TOKENS, width)
        seen = context(config.layer(), TOKENS, h)
        if field == "full":
            seen = replace(seen, form="fused", bias=None, plain_causal=False)
        for layer, block in enumerate(gpt.blocks):
            h = block(h, seen, layer)
        return h

    return [(lambda x, token=token: states(x)[:, token], embeddings) for token in range(TOKENS)]  # type: ignore[misc]
