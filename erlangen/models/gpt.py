"""A decoder-only Transformer, read top to bottom: configuration, block, model.

    h = embed(tokens) (+ positions);   h += attention(norm(h));   h += mlp(norm(h));   logits = head(norm(h))

Sources: Vaswani et al., 2017; Radford et al., "Language Models are Unsupervised Multitask Learners" (GPT-2), 2019; Karpathy's
minGPT and nanoGPT for the names of the small sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.models.head_loss import head_loss, product_dtype
from erlangen.nn.attention import AttentionConfig, CausalSelfAttention, Context, Form, Positions, context
from erlangen.nn.cache import KeyValueCache
from erlangen.nn.dropout import dropout
from erlangen.nn.norm import RMSNorm
from erlangen.nn.positions import Rotary
from erlangen.nn.token_mask import check_mask, check_positions, text_positions

Norm = Literal["rms", "layer"]
LEFT_OUT = -100  # a target that is none, as in torch


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Configuration of a `GPT`. block: the context length in tokens; tied: the head shares the weights of the embedding.

    kv_heads: heads of keys and values, each shared by heads / kv_heads heads of queries; None for as many as `heads`.
    dropout: applied to the embedding, the attention weights and both outputs of a block, only in training. window: attention
    window in tokens, including the token itself; None for the whole context. Raises ValueError for values that do not fit.
    """

    vocabulary: int
    block: int = 128
    layers: int = 6
    heads: int = 6
    kv_heads: int | None = None
    width: int = 384
    norm: Norm = "rms"
    positions: Positions = "rotary"
    rotary: Rotary = field(default_factory=Rotary)
    attention: Form = "auto"
    window: int | None = None
    dropout: float = 0.1
    bias: bool = False
    tied: bool = False

    def __post_init__(self) -> None:
        for name in ("vocabulary", "block", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")
        if self.norm not in get_args(Norm):
            raise ValueError(f"norm {self.norm!r} is unknown: choose one of {', '.join(get_args(Norm))}")
        self.layer()

    def layer(self) -> AttentionConfig:
        """The configuration of each attention layer."""
        return AttentionConfig(
            width=self.width, heads=self.heads, kv_heads=self.kv_heads, positions=self.positions, rotary=self.rotary,
            form=self.attention, window=self.window, dropout=self.dropout, bias=self.bias,
        )  # fmt: skip

    @property
    def head_dim(self) -> int:
        """The number of features per head."""
        return self.width // self.heads

    @property
    def key_heads(self) -> int:
        """The number of heads of keys and values."""
        return self.kv_heads or self.heads


_SMALL = GPTConfig(vocabulary=256)
_GPT2 = GPTConfig(
    vocabulary=50257, block=1024, layers=12, heads=12, width=768, norm="layer", positions="absolute", bias=True, tied=True
)
PRESETS = {
    "gpt-nano": replace(_SMALL, layers=3, heads=3, width=48),
    "gpt-micro": replace(_SMALL, layers=4, heads=4, width=128),
    "gpt-mini": _SMALL,
    "gopher-44m": replace(_SMALL, layers=8, heads=16, width=512),
    "gpt2": _GPT2,
    "gpt2-medium": replace(_GPT2, layers=24, heads=16, width=1024),
    "gpt2-large": replace(_GPT2, layers=36, heads=20, width=1280),
    "gpt2-xl": replace(_GPT2, layers=48, heads=25, width=1600),
}
"""Model sizes by name. Replace `vocabulary` by the size of your tokenizer."""


class MLP(nn.Module):
    """x (..., width) -> (..., width): 4 · width hidden features with the tanh form of GELU."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, 4 * config.width, bias=config.bias)
        self.down = nn.Linear(4 * config.width, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.down(F.gelu(self.up(x), approximate="tanh")))


class Block(nn.Module):
    """h (B, T, width) -> (B, T, width): attention, then the MLP, each applied after a norm and added to its input."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.norm1, self.norm2 = norm(config), norm(config)
        self.attention = CausalSelfAttention(config.layer())
        self.mlp = MLP(config)

    def forward(self, h: Tensor, context: Context, layer: int) -> Tensor:
        h = h + dropout(self.attention(self.norm1(h), context, layer), self.dropout, self.training)
        return h + dropout(self.mlp(self.norm2(h)), self.dropout, self.training)


def norm(config: GPTConfig) -> nn.Module:
    """A normalization layer of the kind that the model uses."""
    if config.norm == "rms":
        return RMSNorm(config.width, eps=1e-5)
    return nn.LayerNorm(config.width, eps=1e-5, bias=config.bias)


class GPT(nn.Module):
    """tokens (B, T) int64 -> logits (B, T, vocabulary); with targets, their mean loss."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.place = nn.Embedding(config.block, config.width) if config.positions == "absolute" else None
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.norm = norm(config)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        if config.tied:
            self.head.weight = self.embed.weight
        self.apply(_initialize)
        for name, weight in self.named_parameters():
            if name.endswith(("attention.out.weight", "mlp.down.weight")):  # keeps the scale of the sum of 2 · layers outputs
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * config.layers))

    def forward(
        self, tokens: Tensor, cache: KeyValueCache | None = None, targets: Tensor | None = None, *,
        attention_mask: Tensor | None = None, positions: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """The logits of the token after each position. With a cache, `tokens` follow the cached tokens and are cached as well.

        attention_mask (B, T), with a cache (B, cached + T): 1 for tokens and 0 for padding, which no token sees and whose own
        logits mean nothing. positions (T,) or (B, T), rotary or learned: by default those in the text, in which padding does not
        count, so that a text has the same logits alone and padded. The loss leaves padding out, and
        with a mask also positions whose target is -100: those whose next token is padding, if texts are padded on the right.
        targets (B, T): if given, the mean cross-entropy in nats per token, (), is returned instead, and what compiles, wraps or
        shards the model sees head and loss together. Raises ValueError for more than `block` tokens if positions are absolute,
        because the model has no embedding for them, and for a mask or positions of another shape.
        """
        h = self.states(tokens, cache, attention_mask=attention_mask, positions=positions)[-1]
        if targets is None:
            return self.unembed(h)
        if attention_mask is not None:
            kept = (attention_mask[:, -tokens.shape[1] :] != 0) & (targets != LEFT_OUT)
            h, targets = h[kept][None], targets[kept][None]  # (1, N, width), (1, N)
        return head_loss(self.norm(h), self.head.weight, targets)

    def states(
        self, tokens: Tensor, cache: KeyValueCache | None = None, weights: list[Tensor] | None = None, *,
        attention_mask: Tensor | None = None, positions: Tensor | None = None,
    ) -> list[Tensor]:  # fmt: skip
        """The input of each block and the output of the last: layers + 1 tensors (B, T, width).

        weights: a list to which each layer's attention weights (B, H, T, keys) are appended; attention then uses its naive form.
        attention_mask, positions: as in `forward`.
        """
        (batch, length), start = tokens.shape, 0 if cache is None else cache.length
        mask = None if attention_mask is None else check_mask(attention_mask, batch, length, start)
        if positions is not None:
            positions = check_positions(positions, batch, length, self.config.positions)
        elif mask is not None:
            positions = text_positions(mask)[:, start:]
        h = self.embedded(tokens, start, positions)
        options = weights is not None, self.training, mask, positions
        shared = context(self.config.layer(), length, _product_like(h), cache, *options)
        states = [h]
        for layer, block in enumerate(self.blocks):
            states.append(block(states[-1], shared, layer))
        if cache is not None:
            cache.advance(tokens.shape[1])
        if weights is not None:
            weights += shared.weights or []
        return states

    def embedded(self, tokens: Tensor, start: int = 0, positions: Tensor | None = None) -> Tensor:
        """The embeddings (B, T, width) of tokens whose first one is at position `start`, or of tokens at `positions`."""
        h: Tensor = self.embed(tokens)
        if self.place is not None and positions is not None:
            if not torch.compiler.is_compiling() and not 0 <= int(positions.min()) <= int(positions.max()) < self.config.block:
                raise ValueError(
                    f"positions {int(positions.min())} ... {int(positions.max())} are not among the model's {self.config.block} "
                    f"absolute positions: crop the text, or use rotary positions"
                )
            h = h + self.place(positions)
        elif self.place is not None:
            end = start + tokens.shape[1]
            if end > self.config.block:
                raise ValueError(
                    f"{end} tokens are more than the model's {self.config.block} absolute positions: crop the text, or use "
                    f"rotary positions"
                )
            h = h + self.place.weight[start:end]
        return dropout(h, self.config.dropout, self.training)

    def unembed(self, h: Tensor) -> Tensor:
        """The logits (..., vocabulary) of a state: the final norm and the head."""
        return cast(Tensor, self.head(self.norm(h)))

    def cache(self, batch: int, size: int | None = None, dtype: torch.dtype | None = None) -> KeyValueCache:
        """An empty cache for `batch` texts that holds `size` tokens, by default `block`."""
        weight = self.embed.weight
        c = self.config
        return KeyValueCache(c.layers, batch, c.key_heads, size or c.block, c.head_dim, dtype or weight.dtype, weight.device)

    def parameter_count(self, embeddings: bool = True) -> int:
        """The number of parameters; shared ones count once.

        embeddings: whether to count token and position embeddings, which comparisons of model sizes usually leave out.
        """
        tables = {"embed.weight", "place.weight"}
        return sum(p.numel() for name, p in self.named_parameters() if embeddings or name not in tables)


def _product_like(h: Tensor) -> Tensor:
    """An empty tensor with the dtype in which products run, which is autocast's if autocast is enabled."""
    return h.new_empty(0, dtype=product_dtype(h, h))


def _initialize(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02²) and set biases to 0."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
