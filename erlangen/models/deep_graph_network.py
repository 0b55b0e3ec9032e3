"""A graph network of any depth, to measure what depth does: an encoder, convolutions of equal width, and a decoder.

    h⁰ = σ(E x),    hˡ⁺¹ = σ(W · mean of neighbors + B · hˡ + b),    logits = C h^L

There are seven arms. `root` has B. `none` lacks B. `loops` lacks B, but every node is its own neighbor. `wide` lacks B and is √2
times wider, so its convolutions have as many parameters as those with B. `residual` has B = I, which is not learned. `normalized`
lacks B and applies LayerNorm before σ. In `alone` every node's only neighbor is itself, which shows what depth does when nothing
is averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from erlangen.nn.dropout import dropout
from erlangen.nn.graph.algebra import add_self_loops
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.features import SparseRows
from erlangen.nn.graph.remember import remember

Arm = Literal["none", "root", "loops", "wide", "residual", "normalized", "alone"]
Activation = Literal["relu", "tanh"]


@dataclass(frozen=True, kw_only=True)
class DeepGraphNetworkConfig:
    """Configuration of a `DeepGraphNetwork`. width: hidden features (`wide` has √2 times as many); depth: convolutions.

    activation: σ. scale: factor of the convolutions' first weights. dropout: of x and of the decoder's input.

    Raises ValueError for an unknown arm or activation, a depth or width below 1, or a scale that is not positive.
    """

    arm: Arm
    in_features: int
    classes: int
    depth: int
    width: int = 16
    activation: Activation = "relu"
    scale: float = 1.0
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.arm not in get_args(Arm):
            raise ValueError(f"arm {self.arm!r} is unknown: choose one of {', '.join(get_args(Arm))}")
        if self.activation not in get_args(Activation):
            raise ValueError(f"activation {self.activation!r} is unknown: choose one of {', '.join(get_args(Activation))}")
        if self.depth < 1 or self.width < 1:
            raise ValueError(f"depth {self.depth} and width {self.width} must be at least 1")
        if not self.scale > 0:
            raise ValueError(f"scale {self.scale} must be positive")

    @property
    def hidden(self) -> int:
        """The number of hidden features."""
        return round(math.sqrt(2) * self.width) if self.arm == "wide" else self.width

    @property
    def deviation(self) -> float:
        """The standard deviation of a convolution's first weights; see `DeepGraphNetwork`."""
        gain = 2.0 if self.activation == "relu" else 1.0
        terms = {"root": 2, "residual": self.depth}.get(self.arm, 1)
        return self.scale * math.sqrt(gain / (terms * self.hidden))


class DeepGraphNetwork(nn.Module):
    """x (N, in_features), dense or sparse, and edge_index (2, E) -> logits (N, classes).

    With scale 1, the first weights preserve the size of an x of mean square 1 through all layers and ReLUs (He et al., ICCV 2015;
    W and B count as one matrix), or that of small values through tanh, so if a deep net fails, the size of its first weights is
    not the reason. With B = I all layers together add about as much as they are given: Var(W) is divided by the depth.
    """

    def __init__(self, config: DeepGraphNetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, root = config.hidden, config.arm == "root"
        self.encoder = nn.Linear(config.in_features, width)
        self.layers = nn.ModuleList([GraphConvolution(width, width, root_weight=root) for _ in range(config.depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(config.depth if config.arm == "normalized" else 0)])
        self.decoder = nn.Linear(width, config.classes)
        _draw(self.encoder, 1 / math.sqrt(config.in_features))
        for layer in self.layers:
            _draw(layer, config.deviation)

    def forward(self, x: Tensor | SparseRows, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.drop(self.features(x, edge_index)))
        return logits

    def features(self, x: Tensor | SparseRows, edge_index: Tensor) -> Tensor:
        """The output of the last convolution, (N, hidden)."""
        edges = self.edges(edge_index, len(x))
        activate = torch.relu if self.config.activation == "relu" else torch.tanh
        p = self.config.dropout
        x = dropout(x, p, self.training) if isinstance(x, Tensor) else x.dropout(p, self.training)
        h: Tensor = activate(self.encoder(x))
        for index, layer in enumerate(self.layers):
            h = activate(self.update(index, layer(h, edges), h))
        return h

    def update(self, index: int, near: Tensor, h: Tensor) -> Tensor:
        """What σ is applied to in a layer: W · mean + B · h + b, in which `near` lacks B · h where B = I; (N, hidden)."""
        if self.config.arm == "residual":
            return near + h
        normalized: Tensor = self.norms[index](near) if self.norms else near
        return normalized

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
