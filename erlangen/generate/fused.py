"""A step in five or eight kernels per layer (erlangen.generate.kernels), where the plain one takes about sixteen.

    qkv = norm(h) Wᵀ;   y = attention;   h += y Wᵀ;   u = gelu(norm(h) Wᵀ);   h += u Wᵀ

At one text a step's arithmetic takes a GPU less time than starting its kernels, even in a CUDA graph: `FusedStep` has five per
layer. There each text reads the matrices again, from the GPU's cache, so beyond `FEW` texts torch's products are better:
`BatchedStep` has four of these, GELU, attention, and two norms that also add to the residual stream. Attention reads the slots in
use, as the position on the device has it, so that one capture serves every length.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from erlangen.generate.static import Affine, StaticReader

FEW = 4  # texts, up to which each reads the matrices by itself
MOST = 2**16 - 1  # texts that a grid of programs can hold in its second dimension
ALIGNED = 64  # rows of the head: with GPT-2's 50257, products store their results unaligned and take a slow kernel
TILE = 8192  # numbers of a matrix that a program holds at a time
WIDEST = 4096  # features of the residual stream that a program can hold
EPSILON = 1e-5  # of the model's norms


def fused_step(reader: StaticReader, wanted: bool | None = None) -> FusedStep | None:
    """The fused step of a reader that has not read anything, tried once, which compiles its kernels; None for the plain step.

    wanted: None to use it where it can run. It cannot without CUDA, Triton and the C compiler that Triton needs, and in float64.
    If it fails although it should run, a warning says why.
    """
    if wanted is False or (wanted is None and not can_fuse(reader)):
        return None
    try:
        step = FusedStep(reader) if reader.batch <= FEW else BatchedStep(reader)
        step(torch.zeros(reader.batch, dtype=torch.int64, device=reader.embedding.device))
    except Exception as error:  # a compiler that is missing or fails may raise anything
        if wanted:
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        warnings.warn(f"decoding without fused kernels, which is slower, because Triton failed: {reason}", stacklevel=2)
        return None
    finally:
        reader.reset()
    return step


def can_fuse(reader: StaticReader) -> bool:
    """Whether the kernels should run here and for this model: on a CUDA device with Triton, not in float64, and with keys of a
    layer whose places are numbers of 32 bits.
    """
    on_gpu = reader.embedding.device.type == "cuda" and importlib.util.find_spec("triton") is not None
    single = max(reader.dtype.itemsize, reader.residual.itemsize) <= 4
    addressed = reader.cache.memory[0, 0].numel() < 2**31
    return on_gpu and single and addressed and reader.batch <= MOST and reader.config.width <= WIDEST


class FusedStep:
    """Tokens (B,) -> logits (B, vocabulary) with the weights and the cache of a `StaticReader`, as its `step`."""

    def __init__(self, reader: StaticReader) -> None:
        c = reader.config
        from erlangen.generate import kernels

        self.reader, self.kernels = reader, cast(Any, kernels)
        plain = c.positions != "alibi" and c.window is None
        self.tables = 0 if plain else len(reader.bias_table)
        self.scale = 1 / math.sqrt(c.head_dim)

    def __call__(self, tokens: Tensor) -> Tensor:
        reader, cache = self.reader, self.reader.cache
        h = F.embedding(tokens, reader.embedding).to(reader.residual)  # (B, width)
        if reader.place is not None:
            h = h + reader.place.index_select(0, cache.position)
        rotation = reader.rotation()
        for number, layer in enumerate(reader.layers):
            qkv = self.after_norm(h, layer.norm1, layer.qkv)
            self.add(h, self.attention(qkv, number, rotation), layer.out)
            self.add(h, self.after_norm(h, layer.norm2, layer.up, gelu=True), layer.down)
        cache.advance()
        return self.after_norm(h, reader.norm, reader.head)

    def after_norm(self, h: Tensor, norm: Affine, product: Affine, gelu: bool = False) -> Tensor:
        """act(norm(h) Wᵀ + b) (B, out), in the dtype of W."""
        block = power(h.shape[1])
        rows = max(TILE // block, 1)
        out = h.new_empty(len(h), len(product.weight), dtype=product.weight.dtype)
        self.kernels.norm_product[(-(-out.shape[1] // rows), len(h))](
            h, norm.weight, h if norm.bias is None else norm.bias, product.weight, h if product.bias is None else product.bias,
            out, out.shape[1], EPSILON, WIDTH=h.shape[1], BLOCK=block, ROWS=rows,
            LAYER=self.reader.config.norm == "layer", SHIFTED=norm.bias is not None, BIASED=product.bias is not None, GELU=gelu,
        )  # fmt: skip
        return out

    def add(self, h: Tensor, x: Tensor, product: Affine, rows: int = 4) -> None:
        """h += x Wᵀ + b, in place."""
        self.kernels.product_add[(-(-h.shape[1] // rows), len(h))](
            x, product.weight, h if product.bias is None else product.bias, h, h.shape[1], WIDTH=x.shape[1],
            BLOCK=min(power(x.shape[1]), 1024), ROWS=rows, BIASED=product.bias is not None,
        )  # fmt: skip

    def attention(self, qkv: Tensor, layer: int, rotation: Tensor | None) -> Tensor:
        """The heads' outputs (B, width) from queries, keys and values (B, (H + 2 H') d); keys and values go to the cache."""
        reader, c = self.reader, self.reader.config
        keys, values = reader.cache.memory[layer].unbind(0)
        out = qkv.new_empty(len(qkv), c.width)
        self.kernels.attend[(c.heads, len(qkv))](
            qkv, keys, values, reader.cache.position, qkv if rotation is None else rotation, reader.bias_table, out, self.scale,
            HEADS=c.heads, KEY_HEADS=c.key_heads, SIZE=c.block, DIM=c.head_dim, PADDED=power(c.head_dim),
            BLOCK=max(TILE // power(c.head_dim), 16), ROTARY=rotation is not None,
            INTERLEAVED=c.rotary.layout == "interleaved", TABLES=self.tables, num_warps=8,
        )  # fmt: skip
        return out


class BatchedStep(FusedStep):
    """The same for many texts: products by torch."""

    def __init__(self, reader: StaticReader) -> None:
        super().__init__(reader)
        self.head = F.pad(reader.head.weight, (0, 0, 0, -len(reader.head.weight) % ALIGNED))

    def __call__(self, tokens: Tensor) -> Tensor:
        reader, cache = self.reader, self.reader.cache
        h = F.embedding(tokens, reader.embedding).to(reader.residual)  # (B, width)
        if reader.place is not None:
            h = h + reader.place.index_select(0, cache.position)
        rotation = reader.rotation()
        x = self.add_norm(h, None, reader.layers[0].norm1)
        following = [*(layer.norm1 for layer in reader.layers[1:]), reader.norm]
        for number, (layer, norm) in enumerate(zip(reader.layers, following, strict=True)):
            y = self.attention(F.linear(x, *layer.qkv), number, rotation)
            x = self.add_norm(h, F.linear(y, *layer.out), layer.norm2)
            hidden = F.gelu(F.linear(x, *layer.up), approximate="tanh")
            x = self.add_norm(h, F.linear(hidden, *layer.down), norm)
        cache.advance()
        return F.linear(x, self.head)[:, : len(reader.head.weight)]

    def add_norm(self, h: Tensor, x: Tensor | None, norm: Affine) -> Tensor:
        """norm(h) (B, width) in the dtype of the products, after h += x, in place."""
        out = torch.empty_like(h, dtype=self.reader.dtype)
        self.kernels.add_norm[(len(h),)](
            h, h if x is None else x, norm.weight, h if norm.bias is None else norm.bias, out, EPSILON,
            WIDTH=h.shape[1], BLOCK=power(h.shape[1]), ADDED=x is not None, LAYER=self.reader.config.norm == "layer",
            SHIFTED=norm.bias is not None,
        )  # fmt: skip
        return out


def power(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
