"""Attention over the pixels of a torus: every pixel is a token that reads all others."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.receptive_field.tasks import HEADS, WIDTH, AttentionName, Pool


class AttentionBlock(nn.Module):
    """t (N, n, WIDTH) -> the same: t += attention(norm(t)), t += MLP(norm(t)). bias (HEADS, n, n) is added to the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, t: Tensor, bias: Tensor | None) -> Tensor:
        n, tokens, _ = t.shape
        query, key, value = self.qkv(self.norm1(t)).view(n, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)  # (N, HEADS, n, d)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        t = t + self.out(mixed.transpose(1, 2).flatten(2))
        return cast(Tensor, t + self.down(F.gelu(self.up(self.norm2(t)))))


class TorusAttention(nn.Module):
    """Images (N, 2, H, W) -> logits (N, 2): a token for each pixel, attention blocks, a pool over all tokens, a linear layer.

    relative: each head adds a trained number to its scores for each offset on the torus, 0 at the start. unordered: no positions.
    """

    def __init__(self, net: AttentionName, layers: int, pool: Pool, rows: int, columns: int) -> None:
        super().__init__()
        self.pool, self.size = pool, (rows, columns)
        self.embed = nn.Linear(2, WIDTH)
        self.blocks = nn.ModuleList(AttentionBlock() for _ in range(layers))
        self.tables = nn.Parameter(torch.zeros(layers, HEADS, rows * columns)) if net == "relative" else None
        self.head = nn.Linear(WIDTH, 2)

    def offsets(self) -> Tensor:
        """The number of each token's offset from each other, (n, n)."""
        rows, columns = self.size
        token = torch.arange(rows * columns, device=self.head.weight.device)
        row, column = token // columns, token % columns
        return (row - row[:, None]) % rows * columns + (column - column[:, None]) % columns

    def maps(self, x: Tensor) -> Tensor:
        """The features of every place, (N, WIDTH, H, W)."""
        t = self.embed(x.flatten(2).transpose(1, 2))  # (N, n, WIDTH)
        offsets = self.offsets() if self.tables is not None else None
        for layer, block in enumerate(self.blocks):
            t = block(t, None if self.tables is None else self.tables[layer][:, offsets])
        return cast(Tensor, t.transpose(1, 2).unflatten(2, self.size))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.maps(x)
        pooled = maps.mean((2, 3)) if self.pool == "mean" else maps.amax((2, 3))
        return cast(Tensor, self.head(pooled))
