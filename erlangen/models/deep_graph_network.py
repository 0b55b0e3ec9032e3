"""A graph network of any depth, to measure what depth does: an encoder, convolutions of equal width, and a decoder.

    h⁰ = relu(E x),    hˡ⁺¹ = relu(W · mean of neighbors + B · hˡ + b),    logits = C h^L

There are five arms. `root` has B. `none` lacks B. `loops` lacks B, but every node is its own neighbor. `wide` lacks B and is √2
times wider, so its convolutions have as many parameters as those with B. In `alone` every node's only neighbor is itself, which
shows what depth does when nothing is averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from erlangen.nn.dropout import dropout
from erlangen.nn.graph.algebra import add_self_loops
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.csr import remember
from erlangen.nn.graph.features import SparseRows

Arm = Literal["none", "root", "loops", "wide", "alone"]


@dataclass(frozen=True, kw_only=True)
class DeepGraphNetworkConfig:
    """Configuration of a `DeepGraphNetwork`. width: hidden features (`wide` has √2 times as many); depth: convolutions.

    Raises ValueError for an unknown arm, or a depth or width below 1.
    """

    arm: Arm
    in_features: int
    classes: int
    depth: int
    width: int = 16
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.arm not in get_args(Arm):
            raise ValueError(f"arm {self.arm!r} is unknown: choose one of {', '.join(get_args(Arm))}")
        if self.depth < 1 or self.width < 1:
            raise ValueError(f"depth {self.depth} and width {self.width} must be at least 1")

    @property
    def hidden(self) -> int:
        """The number of hidden features."""
        return round(math.sqrt(2) * self.width) if self.arm == "wide" else self.width


class DeepGraphNetwork(nn.Module):
    """x (N, in_features), dense or sparse, and edge_index (2, E) -> logits (N, classes).

    The initial weights preserve the scale of an x of mean square 1 through all layers and ReLUs (He et al., ICCV 2015; W and B
    count as one matrix), so if a deep net fails, the scale of its initial weights is not the reason.
    """

    def __init__(self, config: DeepGraphNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, root = config.hidden, config.arm == "root"
        self.encoder = nn.Linear(config.in_features, width)
        self.layers = nn.ModuleList([GraphConvolution(width, width, root_weight=root) for _ in range(config.depth)])
        self.decoder = nn.Linear(width, config.classes)
        _draw(self.encoder, 1 / math.sqrt(config.in_features))
        for layer in self.layers:
            _draw(layer, math.sqrt(2 / (2 * width if root else width)))

    def forward(self, x: Tensor | SparseRows, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.drop(self.features(x, edge_index)))
        return logits

    def features(self, x: Tensor | SparseRows, edge_index: Tensor) -> Tensor:
        """The output of the last convolution, (N, hidden)."""
        edges = self.edges(edge_index, len(x))
        p = self.config.dropout
        x = dropout(x, p, self.training) if isinstance(x, Tensor) else x.dropout(p, self.training)
        h: Tensor = self.encoder(x).relu()
        for layer in self.layers:
            h = layer(h, edges).relu()
        return h

    def edges(self, edge_index: Tensor, num_nodes: int) -> Tensor:
        """The edges of the convolutions: the given edges, with or without self-loops, or only self-loops."""
        if self.config.arm not in ("loops", "alone"):
            return edge_index
        given = edge_index if self.config.arm == "loops" else edge_index[:, :0]
        key = (self.config.arm, num_nodes, num_nodes)
        return remember(edge_index, key, lambda: add_self_loops(given.clone(), num_nodes))

    def drop(self, h: Tensor) -> Tensor:
        return dropout(h, self.config.dropout, self.training)


def _draw(layer: nn.Module, std: float) -> None:
    """Weights from N(0, std²), biases 0."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter) if parameter.ndim == 1 else nn.init.normal_(parameter, std=std)
