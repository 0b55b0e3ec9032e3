"""A GPT decoder for CPUs that uses as few operations per token as possible, on weights that are rearranged beforehand.

For one token, an operation does a few microseconds of arithmetic, so the cost is the number of operations and, for a single text,
the reading of the weights. The decoder computes the model's function, rearranged:

- the gains (and shifts) of the norms are folded into the matrices after them, and 1 / √d into the matrix of the queries;
- rows of Q and K are reordered, so that the pairs of rotary positions are adjacent and form complex numbers: one product with
  e^{i p θ} rotates queries and keys. The scores do not change, since both are reordered in the same way;
- |h|² + width · ε in RMSNorm is computed as the square of a single norm, that of h with √(width · ε) appended;
- nothing is concatenated or moved: keys and values are written to their slots. A layer takes about twelve operations.

The model itself reads the prompt. precision: float32 gives the model's logits to 1e-4. bfloat16 and int8 round the weights and
the inputs and outputs of products; with several texts also the ring and the scores, because reading them is then the main cost.
The residual stream stays in float32. See erlangen.generate.packed.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.generate.decode import Cached
from erlangen.generate.packed import Precision, Product, dtype_of, product, works
from erlangen.models.gpt import GPT, Block, GPTConfig
from erlangen.nn.attention import HIDDEN, hide
from erlangen.nn.positions import alibi_bias, alibi_slopes

if TYPE_CHECKING:
    from erlangen.generate.captured import CapturedDecoder

AHEAD = 512  # positions whose rotations are computed at a time
ROOM = 64  # slots by which the ring grows
EPSILON = 1e-5  # of the model's norms


def fast_decoder(
    model: GPT, batch: int, precision: Precision = "float32", notify: Callable[[str], None] = warnings.warn
) -> FastDecoder | CapturedDecoder:
    """A reader (erlangen.generate.decode) for `batch` texts with the model's current weights.

    On a GPU it is a `CapturedDecoder`, in float32 or bfloat16. If this build of torch lacks the private operators for CPUs, it
    uses plain float32 products instead and says so through `notify`. Raises ValueError for a model on another device than a CPU
    or a CUDA GPU, and for int8 on a GPU.
    """
    device = model.embed.weight.device
    if device.type == "cuda":
        return captured_decoder(model, batch, precision)
    if device.type != "cpu":
        raise ValueError(f"fast_decoder needs a model on a CPU or a CUDA GPU, but the model is on {device}: move it")
    if precision != "plain" and not works(precision, batch):
        notify(
            f"torch {torch.__version__} lacks the operators for {precision} products here; using plain float32 products, "
            f"which are slower"
        )
        precision = "plain"
    return FastDecoder(model, batch, precision)


def captured_decoder(model: GPT, batch: int, precision: Precision) -> CapturedDecoder:
    """The reader of `fast_decoder` for a model on a GPU."""
    from erlangen.generate.captured import CapturedDecoder

    if precision == "int8":
        raise ValueError("int8 products are for CPUs: on a GPU choose bfloat16")
    weights = model.embed.weight.dtype
    return CapturedDecoder(
        model, batch, torch.bfloat16 if precision == "bfloat16" else torch.promote_types(weights, torch.float32)
    )


class FastDecoder(Cached):
    """The reader that `fast_decoder` returns. It slides or hops exactly as `Cached` does."""

    def __init__(self, model: GPT, batch: int, precision: Precision) -> None:
        super().__init__(model, batch)
        c, self.batch, self.precision, self.dtype = model.config, batch, precision, dtype_of(precision)
        self.config = c
        self.order = _pairs(c) if c.positions == "rotary" else torch.arange(c.head_dim)
        with torch.inference_mode():
            self.layers = [_layer(cast(Block, block), c, batch, precision, self.order) for block in model.blocks]
            self.head = product(*_behind(model.norm, model.head), batch, precision)
            self.embedding = _copy(model.embed.weight)
            self.places = None if model.place is None else _copy(model.place.weight)
            self.padded = torch.full((batch, c.width + 1), math.sqrt(c.width * EPSILON))
            self.h = self.padded[:, : c.width]  # (B, width), the residual stream
            self.qk = torch.empty(batch, c.heads + c.key_heads, c.head_dim)
            self.rotated = torch.empty_like(self.qk) if c.positions == "rotary" else self.qk
            self.halved = batch > 1 and self.dtype == torch.bfloat16
            kind = torch.bfloat16 if self.halved else torch.float32
            self.memory = torch.empty(2, c.layers, batch * c.key_heads * c.block * c.head_dim, dtype=kind)  # of the whole ring
            self.room = 0
            self.keys, self.values = self._ring(0)
            self._make_room(1 if self.halved else c.block)
        self.slopes = alibi_slopes(c.heads) if c.positions == "alibi" else None
        self.tabled, self.rotations = -AHEAD, torch.empty(0)

    def _read(self, tokens: Tensor) -> Tensor:
        with torch.inference_mode():
            if tokens.shape[1] == 1 or self.cache.length:
                return [self._step(column) for column in tokens.unbind(1)][-1]
            logits = super()._read(tokens).float()
            held = self.cache.length
            self._make_room(held)
            self.keys[:, :, :held] = self.cache.keys[..., :held, self.order].flatten(1, 2)
            self.values[:, :, :held] = self.cache.values[..., :held, :].flatten(1, 2)
            return logits

    def _step(self, tokens: Tensor) -> Tensor:
        """Tokens (B,) -> logits (B, vocabulary)."""
        position, block, h = self.cache.length, self.config.block, self.h
        h.copy_(self.embedding[tokens])
        if self.places is not None:
            h += self.places[position]
        self._make_room(min(position + 1, block))
        held, slot, bias, rotation = min(position + 1, block), position % block, self._bias(position), self._rotation(position)
        heads, rows = self.config.heads, (self.batch, self.config.key_heads)
        new_keys, new_values = (
            torch.unflatten(x[:, :, slot], 1, rows).unbind(0) for x in (self.keys, self.values)
        )  # (B, H', d) each
        read = self.room if self.halved else held
        keys, values = self.keys[:, :, :read].unbind(0), self.values[:, :, :read].unbind(0)  # (B · H', read, d)
        before, after = (torch.view_as_complex(x.view(*x.shape[:-1], -1, 2)) for x in (self.qk, self.rotated))
        for layer, (qkv, out, up, down) in enumerate(self.layers):
            projected = qkv(self._normed()).view(self.batch, -1, self.config.head_dim)  # (B, H + 2 H', d)
            self.qk.copy_(projected[:, : self.qk.shape[1]])
            if rotation is not None:
                torch.mul(before, rotation, out=after)
            q = self.rotated[:, :heads]
            new_keys[layer].copy_(self.rotated[:, heads:])
            new_values[layer].copy_(projected[:, self.qk.shape[1] :])
            q = q.to(self.keys.dtype).reshape(len(self.keys[layer]), -1, q.shape[-1])  # (B · H', H / H', d)
            weights = self._scores(q, keys[layer], bias).softmax(-1).to(q.dtype)  # (B · H', H / H', read)
            h += out(torch.bmm(weights, values[layer]).view(self.batch, -1).to(self.dtype))
            h += down(up(self._normed()))
        self.cache.advance(1)
        return self.head(self._normed()).float()

    def _make_room(self, held: int) -> None:
        """Grow the ring, if needed, so that it has slots for `held` tokens; its content is kept.

        torch's bfloat16 products copy tensors that are not contiguous. In bfloat16 the whole ring is therefore read, with empty
        slots hidden, and the ring grows as needed.
        """
        if held <= self.room:
            return
        before, room = self.room, min(-(-held // ROOM) * ROOM, self.config.block)
        kept = [(keys.clone(), values.clone()) for keys, values in zip(self.keys, self.values, strict=True)]
        self.room, (self.keys, self.values) = room, self._ring(room)
        for layer, old in enumerate(kept):  # the slots of a layer move apart, over the memory of others
            for ring, slots in zip((self.keys, self.values), old, strict=True):
                ring[layer, :, :before] = slots
                ring[layer, :, before:] = 0

    def _ring(self, room: int) -> tuple[Tensor, Tensor]:
        """Keys and values (layers, B · H', room, d), each layer contiguous, in the same memory for every `room`."""
        c = self.config
        rows = self.batch * c.key_heads
        keys, values = self.memory[..., : rows * room * c.head_dim].view(2, c.layers, rows, room, c.head_dim).unbind(0)
        return keys, values

    def _scores(self, q: Tensor, k: Tensor, bias: Tensor | None) -> Tensor:
        """Scores (B · H', n, read) of q (B · H', n, d) and k (B · H', read, d), plus the bias of `_bias`."""
        if self.halved:
            scores = torch.bmm(q, k.mT)
            return scores if bias is None else scores + bias
        if self.batch == 1:
            return torch.bmm(q, k.mT) if bias is None else torch.baddbmm(bias, q, k.mT)
        scores = torch.bmm(k, q.mT) if bias is None else torch.baddbmm(bias.mT, k, q.mT)  # faster for several texts
        return scores.mT

    def _normed(self) -> Tensor:
        """The input of the products: h after the norm, without gain, and for RMSNorm divided by √width (see `_behind`)."""
        if self.config.norm == "layer":
            x = F.layer_norm(self.h, (self.config.width,), eps=EPSILON)
        else:
            x = self.h / torch.linalg.vector_norm(self.padded, dim=-1, keepdim=True)
        return x.to(self.dtype)

    def _rotation(self, position: int) -> Tensor | None:
        """The rotation e^{i p θ} of a position, (d / 2,) complex; None if positions are not rotary."""
        if self.config.positions != "rotary":
            return None
        if not self.tabled <= position < self.tabled + AHEAD:
            self.tabled = position
            places = torch.arange(position, position + AHEAD, dtype=torch.float64)
            rotary, lengths = self.config.rotary, (places + 1).clamp_max(self.block)[:, None]
            angles = places[:, None] * rotary.frequencies(self.config.head_dim, length=lengths)  # (AHEAD, d / 2)
            self.rotations = torch.polar(torch.full_like(angles, rotary.amplitude), angles).to(torch.complex64)
        return self.rotations[position - self.tabled]

    def _bias(self, position: int) -> Tensor | None:
        """The bias that is added to the scores, (B · H' or 1, H / H' or 1, read); None if there is none."""
        held, window = min(position + 1, self.config.block), self.config.window
        empty = self.room - held if self.halved else 0
        if self.slopes is None and (window is None or held <= window):
            return F.pad(torch.zeros(1, 1, held, dtype=torch.bfloat16), (0, empty), value=HIDDEN) if empty else None
        distance = position - self.cache.positions(1)  # (held,)
        bias = hide(distance, window).expand(self.config.heads, held)
        if self.slopes is not None:
            bias = bias + alibi_bias(self.slopes, distance)
        bias = torch.unflatten(bias, 0, (self.config.key_heads, -1)).repeat(self.batch, 1, 1)
        return F.pad(bias, (0, empty), value=HIDDEN)


def _layer(block: Block, config: GPTConfig, batch: int, precision: Precision, order: Tensor) -> tuple[Product, ...]:
    """The four products of a block: to queries, keys and values; of the heads' outputs; up; and down."""
    weight, bias = _behind(block.norm1, block.attention.qkv)
    turned, plain, d = config.heads + config.key_heads, config.key_heads, config.head_dim
    rows = torch.cat([order.expand(turned, d), torch.arange(d).expand(plain, d)])  # (H + 2 H', d)
    rows = (rows + d * torch.arange(turned + plain)[:, None]).flatten()
    scale = torch.ones(turned + plain, d)
    scale[: config.heads] /= math.sqrt(d)
    weight, bias = weight[rows] * scale.view(-1, 1), None if bias is None else bias[rows] * scale.flatten()
    out, down = block.attention.out, block.mlp.down
    return (
        product(weight, bias, batch, precision),
        product(_copy(out.weight), _copied(out.bias), batch, precision),
        product(*_behind(block.norm2, block.mlp.up), batch, precision, gelu=True),
        product(_copy(down.weight), _copied(down.bias), batch, precision),
    )


def _behind(norm: nn.Module, linear: nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a linear layer with the gain and shift of the norm before it folded in, for `_normed`."""
    weight, bias = _copy(linear.weight), _copied(linear.bias)
    gain, shift = _copy(cast(Tensor, norm.weight)), _copied(getattr(norm, "bias", None))
    if shift is not None:
        bias = weight @ shift if bias is None else bias + weight @ shift
    return weight * gain * (1.0 if isinstance(norm, nn.LayerNorm) else math.sqrt(linear.in_features)), bias


def _copy(x: Tensor) -> Tensor:
    """A float32 copy that belongs to the decoder, so that the model's weights may change later."""
    return x.detach().float().clone()


def _copied(x: Tensor | None) -> Tensor | None:
    return None if x is None else _copy(x)


def _pairs(config: GPTConfig) -> Tensor:
    """An order of the features of a head, (d,), in which the pairs that rotary positions rotate are adjacent."""
    features = torch.arange(config.head_dim)
    return features.view(2, -1).t().flatten() if config.rotary.layout == "half" else features
