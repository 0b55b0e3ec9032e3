"""A small graph network for node classification, with graph convolution or one of three kinds of graph attention.

    h⁰ = x,    hˡ⁺¹ = σ(layer(dropout(hˡ), edges)),    logits = layer(dropout(h), edges)

Sources: Kipf & Welling, ICLR 2017 (gcn); Veličković et al., ICLR 2018 (gat); Brody, Alon & Yahav, ICLR 2022 (gatv2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.dropout import dropout
from erlangen.nn.graph.features import SparseRows
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.gatv2 import GATv2Conv
from erlangen.nn.graph.gcn import GCNConv

Features = Tensor | SparseRows  # (N, F)
Layer = Literal["gcn", "gat", "gatv2", "uniform"]


@dataclass(frozen=True, kw_only=True)
class GraphNetworkConfig:
    """Configuration of a `GraphNetwork`. width: hidden features of all heads together.

    layer: `uniform` is a GAT whose attention is frozen to be equal over a node's neighbors and itself. dropout: share of each
    layer's inputs that is dropped in training; attention_dropout: the same for attention weights (gcn has none).
    Raises ValueError for values that do not fit.
    """

    layer: Layer
    in_features: int
    classes: int
    width: int = 64
    heads: int = 8
    depth: int = 2
    dropout: float = 0.6
    attention_dropout: float = 0.0
    activation: Literal["relu", "elu"] = "elu"

    def __post_init__(self) -> None:
        if self.layer not in get_args(Layer):
            raise ValueError(f"layer {self.layer!r} is unknown: choose one of {', '.join(get_args(Layer))}")
        if self.depth < 1 or self.width % self.heads:
            raise ValueError(
                f"depth {self.depth} must be at least 1, and width {self.width} must be a multiple of heads, {self.heads}"
            )


class GraphNetwork(nn.Module):
    """x (N, in_features), dense or sparse, and edge_index (2, E) -> logits (N, classes)."""

    def __init__(self, config: GraphNetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.in_features, *[config.width] * (config.depth - 1)]
        hidden = [_layer(config, width, last=False) for width in widths[:-1]]
        self.layers = nn.ModuleList([*hidden, _layer(config, widths[-1], last=True)])

    def forward(self, x: Features, edge_index: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activation(layer(self.drop(x), edge_index))  # (N, width)
        return cast(Tensor, last(self.drop(x), edge_index))  # (N, classes)

    def activation(self, h: Tensor) -> Tensor:
        return F.elu(h) if self.config.activation == "elu" else h.relu()

    def drop(self, x: Features) -> Features:
        p = self.config.dropout
        return dropout(x, p, self.training) if isinstance(x, Tensor) else x.dropout(p, self.training)

    @torch.no_grad()
    def attention(self, x: Features, edge_index: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each layer, the edges (2, E') including self-loops, and their weights in each head (E', heads), without dropout.

        Attention weights add up to 1 at each node; the weights of gcn, 1 / √(d_u d_v), do not.
        """
        attention = []
        for layer in self.layers:
            if isinstance(layer, GCNConv):
                edges, weight = layer.weights(edge_index, len(x))
                attention.append((edges, weight[:, None]))  # type: ignore[index]  # these layers normalize
            else:
                attention.append(layer(x, edge_index, return_attention_weights=True)[1])
            x = self.activation(layer(x, edge_index))
        return attention


def _layer(config: GraphNetworkConfig, width: int, last: bool) -> nn.Module:
    if config.layer == "gcn":
        return GCNConv(width, config.classes if last else config.width)
    heads = 1 if last else config.heads
    features = config.classes if last else config.width // heads
    if config.layer == "gatv2":
        return GATv2Conv(width, features, heads, dropout=config.attention_dropout)
    layer = GATConv(width, features, heads, dropout=config.attention_dropout)
    if config.layer == "uniform":  # equal scores give equal attention
        for parameter in (layer.att_src, layer.att_dst):
            nn.init.zeros_(parameter).requires_grad_(False)
    return layer
