"""A GPT whose step for one token has fixed shapes and addresses and never asks the host, so that a GPU can capture it.

It computes what the model and its cache compute, from weights that are cast once:

- keys and values are in a `StaticCache`, whose position is a tensor on the device. Slots that are still empty, or outside the
  window, are hidden by a bias that is computed from this position: b[s] = table[(p - s) mod size], -inf where the slot is empty;
- a step reads the first `n` slots, where n is one of a few numbers (`reach`). Every such n needs one capture and one choice of
  kernels. With a shape for every length, these choices are what the first text of a process would wait for;
- attention runs by torch's flash or memory-efficient kernels: cuDNN's needs a plan for every shape, which takes it a second.

dtype: that of the products and of keys and values. The residual stream and the norms stay in float32 (or float64 if the weights
are), as under autocast. All functions run on a CPU as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from erlangen.generate.decode import Cached
from erlangen.models.gpt import GPT, Block
from erlangen.nn.attention import HIDDEN, hide, repeat_heads
from erlangen.nn.cache import StaticCache
from erlangen.nn.positions import alibi_bias, alibi_slopes, rotate

LEAST = 128  # slots by which what a step reads grows at least
EPSILON = 1e-5  # of the model's norms


class Affine(NamedTuple):
    """Weight and bias of a linear layer or of a norm."""

    weight: Tensor
    bias: Tensor | None


class Layer(NamedTuple):
    """The weights of a block."""

    norm1: Affine
    qkv: Affine
    out: Affine
    norm2: Affine
    up: Affine
    down: Affine


def reach(held: int, size: int) -> int:
    """The slots that a step reads if `held` of `size` are in use: held rounded up to a multiple of LEAST, or of a quarter of the
    power of two below it, and at most size."""
    step = max(LEAST, 1 << max(held.bit_length() - 3, 0))
    return min(-(-held // step) * step, size)


class StaticReader(Cached):
    """A reader for `batch` texts with the model's current weights, cast to `dtype`. It slides or hops just as `Cached` does."""

    def __init__(self, model: GPT, batch: int, dtype: torch.dtype) -> None:
        c, weight = model.config, model.embed.weight
        cache = StaticCache(c.layers, batch, c.key_heads, c.block, c.head_dim, dtype, weight.device)
        super().__init__(model, batch, cache)
        self.config, self.batch, self.dtype = c, batch, dtype
        self.residual = torch.promote_types(weight.dtype, torch.float32)
        with torch.inference_mode():
            self.embedding, self.place = weight.detach(), None if model.place is None else model.place.weight.detach()
            self.layers = [self._layer(cast(Block, block)) for block in model.blocks]
            self.norm, self.head = affine(model.norm, self.residual), affine(model.head, dtype)
            self.bias_table = bias_table(c.heads, c.block, c.window, c.positions == "alibi", weight.device).to(dtype)
            self.theta = self._frequencies(weight.device) if c.positions == "rotary" else None
            self.angles = None if self.theta is None else angles(self.theta[0], c.rotary.layout)

    def _frequencies(self, device: torch.device) -> Tensor:
        """Those of rotary positions, (1, d / 2) float64, or (block, d / 2), for each length of the text, if they depend on it."""
        c = self.config
        lengths = torch.arange(1, c.block + 1, device=device)[:, None] if c.rotary.varies else 0
        return c.rotary.frequencies(c.head_dim, device, lengths).view(-1, c.head_dim // 2)

    def _layer(self, block: Block) -> Layer:
        a, mlp = block.attention, block.mlp
        products = [affine(linear, self.dtype) for linear in (a.qkv, a.out, mlp.up, mlp.down)]
        norms = [affine(norm, self.residual) for norm in (block.norm1, block.norm2)]
        return Layer(norms[0], products[0], products[1], norms[1], products[2], products[3])

    def _read(self, tokens: Tensor) -> Tensor:
        with torch.inference_mode():
            if self.cache.length == 0:
                return self.read(tokens)
            return [self.next(column) for column in tokens.unbind(1)][-1]

    def next(self, tokens: Tensor) -> Tensor:
        """A step that counts on the host as well: tokens (B,) -> logits (B, vocabulary)."""
        logits = self.step(tokens, self.reach())
        self.cache.length += 1
        return logits

    def reach(self) -> int:
        """The slots that the next step reads."""
        return reach(min(self.cache.length + 1, self.block), self.block)

    def read(self, tokens: Tensor) -> Tensor:
        """The first tokens (B, T) of a text, at most `block` -> logits (B, vocabulary). What was read before is forgotten."""
        c, (b, t) = self.config, tokens.shape
        h = F.embedding(tokens, self.embedding).to(self.residual)  # (B, T, width)
        if self.place is not None:
            h = h + self.place[:t]
        self.cache.begin(t)
        places = torch.arange(t, device=tokens.device)
        table = c.rotary.table(places, c.head_dim, t).to(self.dtype) if self.angles is not None else None
        bias = self.prompt_bias(places)

        def attend(layer: int, qkv: Tensor) -> Tensor:
            x = qkv.view(b, t, -1, c.head_dim).transpose(1, 2)  # (B, H + 2 H', T, d)
            q, k, v = torch.split(x, [c.heads, c.key_heads, c.key_heads], 1)
            if table is not None:
                q, k = rotate(q, table, c.rotary.layout), rotate(k, table, c.rotary.layout)
            self.cache.fill(layer, k, v)
            k, v = repeat_heads(k, c.heads), repeat_heads(v, c.heads)
            y = F.scaled_dot_product_attention(q, k, v, bias, is_causal=bias is None)
            return y.transpose(1, 2).reshape(b * t, -1)

        with backends(SDPBackend.FLASH_ATTENTION):
            states = self.run(h.view(b * t, -1), attend)
        return self.unembed(states.view(b, t, -1)[:, -1])

    def step(self, tokens: Tensor, n: int) -> Tensor:
        """The next tokens (B,) -> logits (B, vocabulary). n: the slots to read, at least those in use after this token.

        All that changes from step to step is on the device: this function can be captured. `length` does not change.
        """
        c, cache = self.config, self.cache
        h = F.embedding(tokens, self.embedding).to(self.residual)  # (B, width)
        if self.place is not None:
            h = h + self.place.index_select(0, cache.position)
        slot, bias, table = cache.slot(), self.step_bias(n), self.rotation()

        def attend(layer: int, qkv: Tensor) -> Tensor:
            x, last = qkv.view(len(qkv), -1, c.head_dim), c.heads + c.key_heads  # (B, H + 2 H', d)
            if table is not None:
                x[:, :last] = rotate(x[:, :last], table, c.rotary.layout)
            pair = torch.unflatten(x[:, c.heads :], 1, (2, -1)).transpose(0, 1).unsqueeze(3)  # (2, B, H', 1, d)
            k, v = cache.extend(layer, pair, slot, n)  # (B, H', n, d)
            q = torch.unflatten(x[:, : c.heads], 1, (c.key_heads, -1))  # (B, H', H / H', d): those that share keys, in a row
            y = F.scaled_dot_product_attention(q, k, v, bias)
            return y.reshape(len(x), -1)

        with backends():
            states = self.run(h, attend)
        cache.advance()
        return self.unembed(states)

    def run(self, h: Tensor, attend: Callable[[int, Tensor], Tensor]) -> Tensor:
        """The blocks, on states (N, width). attend: the layer and its queries, keys and values side by side -> (N, width)."""
        for number, layer in enumerate(self.layers):
            h = h + F.linear(attend(number, F.linear(self.normed(h, layer.norm1), *layer.qkv)), *layer.out)
            hidden = F.gelu(F.linear(self.normed(h, layer.norm2), *layer.up), approximate="tanh")
            h = h + F.linear(hidden, *layer.down)
        return h

    def normed(self, h: Tensor, norm: Affine) -> Tensor:
        """h after a norm, in the dtype of the products."""
        if self.config.norm == "layer":
            return F.layer_norm(h, (self.config.width,), norm.weight, norm.bias, EPSILON).to(self.dtype)
        return F.rms_norm(h, (self.config.width,), norm.weight, EPSILON).to(self.dtype)

    def unembed(self, h: Tensor) -> Tensor:
        """The logits (B, vocabulary) of states (B, width)."""
        return F.linear(self.normed(h, self.norm), self.head.weight)

    def prompt_bias(self, places: Tensor) -> Tensor | None:
        """The bias (1, 1 or H, T, T) of a prompt's scores; None if attention is causal and nothing else."""
        c, t = self.config, len(places)
        if c.positions != "alibi" and (c.window is None or t <= c.window):
            return None
        distance = places[:, None] - places
        return self.bias_table[None, :, distance.clamp_min(0)].masked_fill(distance < 0, HIDDEN)

    def step_bias(self, n: int) -> Tensor:
        """The bias (1, 1 or H', 1 or H / H', n) of a step's scores."""
        distance, empty = self.cache.distance(n)
        bias = self.bias_table.index_select(1, distance).masked_fill(empty, HIDDEN)  # (1 or H, n)
        return bias[None, :, None] if len(bias) == 1 else torch.unflatten(bias, 0, (self.config.key_heads, -1))[None]

    def rotation(self) -> Tensor | None:
        """cos and sin for the next token, (2, 1, d), as `Rotary.table` has them; None if positions are not rotary."""
        if self.theta is None or self.angles is None:
            return None
        place, rotary, pair = self.cache.position, self.config.rotary, self.angles
        if rotary.varies:
            pair = angles(self.theta.index_select(0, place.clamp_max(self.block - 1))[0], rotary.layout)
        frequency, phase = pair.unbind(0)  # (2, 1, d) each
        table = torch.addcmul(phase, frequency, place).cos()
        return (table if rotary.amplitude == 1 else rotary.amplitude * table).float().to(self.dtype)


def affine(module: nn.Module, dtype: torch.dtype) -> Affine:
    """The weights of a linear layer or a norm, cast."""
    bias = cast("Tensor | None", getattr(module, "bias", None))
    return Affine(cast(Tensor, module.weight).detach().to(dtype), None if bias is None else bias.detach().to(dtype))


def bias_table(heads: int, size: int, window: int | None, alibi: bool, device: torch.device) -> Tensor:
    """The bias of the scores by distance, (1, size), or (heads, size) for ALiBi."""
    distance = torch.arange(size, device=device)
    bias = hide(distance, window)[None]
    return bias + alibi_bias(alibi_slopes(heads, device), distance) if alibi else bias


def angles(frequencies: Tensor, layout: str) -> Tensor:
    """Frequencies and phases (2, 2, 1, d) float64 with which cos(frequency · p + phase) is `Rotary.table` at position p.

    The attention factor of a scaling is not included. cos(x + π/2) = -sin x and cos(x - π/2) = sin x.
    """
    half = layout == "half"
    frequency = torch.cat([frequencies, frequencies]) if half else frequencies.repeat_interleave(2)  # (d,)
    quarter = torch.full_like(frequencies, math.pi / 2)
    phase = torch.cat([quarter, -quarter]) if half else torch.stack([quarter, -quarter], -1).flatten()
    phases = torch.stack([torch.zeros_like(phase), phase])  # (2, d)
    return torch.stack([frequency.expand(2, -1), phases])[:, :, None]


def backends(*first: SDPBackend) -> AbstractContextManager[None]:
    """A context in which torch's attention runs by one of these kernels, or else by the memory-efficient or the plain one."""
    return cast("AbstractContextManager[None]", sdpa_kernel([*first, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]))
