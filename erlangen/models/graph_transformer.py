"""A Transformer over the edges of a graph: torch's encoder layer with attention along edges only, and a node classifier.

    z = h + attention(h, edges) W_o,    h' = z + σ(z W₁) W₂        norms after the sums, or with `norm_first` before the branches

Only the edges decide which tokens see each other: on the complete graph it equals `torch.nn.TransformerEncoderLayer`.
Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017; σ is ReLU, as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.dropout import dropout
from erlangen.nn.graph.algebra import adjacency
from erlangen.nn.graph.features import check_features
from erlangen.nn.graph.remember import remember
from erlangen.nn.graph.transformer_conv import TransformerConv

Form = Literal["edges", "dense"]


def log_adjacency(edge_index: Tensor, num_nodes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """log A (num_nodes, num_nodes), [target, source]: added to the scores, it restricts attention to the edges. Cached.

    -∞ without an edge, 0 for an edge, and log k for an edge that occurs k times. Raises ValueError for an invalid edge_index.
    """
    return remember(edge_index, ("log adjacency", num_nodes, dtype), lambda: adjacency(edge_index, num_nodes).to(dtype).log())


def dense_attention(layer: TransformerConv, x: Tensor, added: Tensor) -> Tensor:
    """The output of `layer` for x (N, in), computed densely; added: the `log_adjacency` of the edges.

    O(N²), but faster than the sparse form if most possible edges exist. Raises ValueError for a layer with features of edges.
    """
    check_features(x)
    if layer.edge_dim is not None:
        raise ValueError(
            f"dense_attention: the layer has edge_dim {layer.edge_dim}, but the dense form does not support features of edges: "
            f"call the layer itself"
        )
    query, key, value = (
        projection(x).view(1, len(x), layer.heads, layer.out_channels).transpose(1, 2)
        for projection in (layer.lin_query, layer.lin_key, layer.lin_value)
    )  # (1, heads, N, C)
    drop = layer.dropout if layer.training else 0.0
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=added, dropout_p=drop)[0].transpose(0, 1)  # (N, heads, C)
    joined = out.flatten(1) if layer.concat else out.mean(1)
    return joined if layer.lin_skip is None else joined + layer.lin_skip(x)


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """Configuration of a `TransformerBlock`.

    width: features of all heads together. hidden: hidden features of the feed-forward part. dropout: in both branches, only in
    training. norm_first: norm the input of each branch instead of the sums.
    """

    width: int = 32
    heads: int = 2
    hidden: int = 64
    dropout: float = 0.0
    norm_first: bool = False

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads, {self.heads}, and heads must be at least 1")


class TransformerBlock(nn.Module):
    """A Transformer layer: h (N, width), edge_index (2, E) -> (N, width).

    A node keeps its own features through the residual connection; its attention sees itself only through a self-loop.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        self.attention = TransformerConv(config.width, config.width // config.heads, config.heads, root_weight=False)
        self.out_proj = nn.Linear(config.width, config.width)
        self.linear1, self.linear2 = nn.Linear(config.width, config.hidden), nn.Linear(config.hidden, config.width)
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)

    @classmethod
    def of_torch(cls, layer: nn.TransformerEncoderLayer) -> TransformerBlock:
        """The same layer over edges, with a copy of its weights. Raises ValueError if σ is not ReLU or the layer has no bias."""
        attention = layer.self_attn
        if layer.activation_relu_or_gelu != 1 or attention.in_proj_bias is None:
            raise ValueError("of_torch: the layer must be a TransformerEncoderLayer with activation 'relu' and bias=True")
        block = cls(
            BlockConfig(
                width=attention.embed_dim, heads=attention.num_heads, hidden=layer.linear1.out_features,
                dropout=layer.dropout1.p, norm_first=layer.norm_first,
            )
        ).to(layer.linear1.weight)  # fmt: skip
        projections = (block.attention.lin_query, block.attention.lin_key, block.attention.lin_value)
        with torch.no_grad():
            packed = zip(projections, attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True)
            for projection, weight, bias in packed:
                projection.weight.copy_(weight)
                projection.bias.copy_(bias)
        block.out_proj.load_state_dict(attention.out_proj.state_dict())
        for name in ("linear1", "linear2", "norm1", "norm2"):
            getattr(block, name).load_state_dict(getattr(layer, name).state_dict())
        block.norm1.eps, block.norm2.eps = layer.norm1.eps, layer.norm2.eps
        return block.train(layer.training)

    def forward(self, h: Tensor, edge_index: Tensor, added: Tensor | None = None) -> Tensor:
        """h (N, width) -> (N, width). added: the `log_adjacency` of the edges; if given, attention is computed densely."""
        if self.config.norm_first:
            h = h + self.attend(self.norm1(h), edge_index, added)
            return h + self.feed(self.norm2(h))
        h = self.norm1(h + self.attend(h, edge_index, added))
        return cast(Tensor, self.norm2(h + self.feed(h)))

    def attend(self, h: Tensor, edge_index: Tensor, added: Tensor | None) -> Tensor:
        seen = self.attention(h, edge_index) if added is None else dense_attention(self.attention, h, added)
        return self.drop(self.out_proj(seen))

    def feed(self, h: Tensor) -> Tensor:
        return self.drop(self.linear2(self.drop(self.linear1(h).relu())))

    def drop(self, h: Tensor) -> Tensor:
        return dropout(h, self.config.dropout, self.training)


@dataclass(frozen=True, kw_only=True)
class GraphTransformerConfig:
    """Configuration of a `GraphTransformer`. depth: blocks between the first and the last linear layer.

    form: "edges" or "dense", which give equal numbers; "dense" is faster if most possible edges exist.
    """

    in_features: int
    classes: int
    depth: int = 2
    block: BlockConfig = BlockConfig(norm_first=True)
    form: Form = "edges"

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            raise ValueError(f"form {self.form!r} is unknown: choose one of {', '.join(get_args(Form))}")


class GraphTransformer(nn.Module):
    """x (N, in_features), edge_index (2, E) -> logits (N, classes). Attention sees only the given edges; no loops are added."""

    def __init__(self, config: GraphTransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.in_features, config.block.width)
        self.blocks = nn.ModuleList([TransformerBlock(config.block) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(config.block.width) if config.block.norm_first else nn.Identity()
        self.head = nn.Linear(config.block.width, config.classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        added = log_adjacency(edge_index, len(x), x.dtype) if self.config.form == "dense" else None
        h = dropout(self.embed(x), self.config.block.dropout, self.training)  # (N, width)
        for block in self.blocks:
            h = block(h, edge_index, added)
        return cast(Tensor, self.head(self.norm(h)))

    @torch.no_grad()
    def attention(self, x: Tensor, edge_index: Tensor) -> list[Tensor]:
        """For each block, the weight of every edge in each head, (E, heads), without dropout. They add up to 1 at each node."""
        training = self.training
        self.eval()
        attention, h = [], self.embed(x)
        for block in cast("list[TransformerBlock]", list(self.blocks)):
            seen = block.norm1(h) if self.config.block.norm_first else h
            attention.append(block.attention(seen, edge_index, return_attention_weights=True)[1][1])
            h = block(h, edge_index)
        self.train(training)
        return attention
