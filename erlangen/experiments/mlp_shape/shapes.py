"""MLPs of one size and of different shapes, and GPTs that have them.

    h_1 = gelu(W_1 x),   h_i = gelu(W_i h_{i-1}) (+ h_{i-1}),   out = W_{depth+1} h_depth,   W_i (k, k) between hidden layers

depth = 1 has the shape of the GPT's own MLP. Sources of the first weights: PyTorch's `nn.Linear`; Radford et al., "Language
Models are Unsupervised Multitask Learners" (GPT-2), 2019; He et al., "Delving Deep into Rectifiers", ICCV 2015. Of residuals: He
et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.mlp_shape.tasks import Activation, Start, inner_width
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.train.seeds import seed_everything


class DeepMLP(nn.Module):
    """x (..., width) -> (..., width): `depth` hidden layers that together have the parameters of one of 4 · width."""

    def __init__(self, width: int, depth: int, *, residual: bool = False, activation: Activation = "gelu") -> None:
        super().__init__()
        k = inner_width(width, depth)
        sizes = [width, *[k] * depth, width]
        self.linears = nn.ModuleList(nn.Linear(before, after, bias=False) for before, after in pairwise(sizes))
        self.residual, self.activation = residual, activation

    def forward(self, x: Tensor) -> Tensor:
        first, *middle, last = self.linears
        h = self.activate(first(x))
        for linear in middle:
            h = self.activate(linear(h)) + (h if self.residual else 0)  # (..., k)
        return cast(Tensor, last(h))

    def activate(self, x: Tensor) -> Tensor:
        """GELU, or the sigmoid."""
        return F.gelu(x, approximate="tanh") if self.activation == "gelu" else torch.sigmoid(x)


def build(
    config: GPTConfig, depth: int, seed: int, *, residual: bool = False, start: Start = "default", activation: Activation = "gelu"
) -> GPT:
    """A GPT with MLPs of this shape and the first weights of its seed. Attention and embeddings start alike in all shapes."""
    seed_everything(seed)
    model = GPT(config)
    for block in model.blocks:
        block.mlp = DeepMLP(config.width, depth, residual=residual, activation=activation)
        initialize(mlp_of(block), start, config.layers)
    return model


def mlp_of(block: nn.Module) -> DeepMLP:
    """The MLP of a block that `build` made."""
    return cast(DeepMLP, block.mlp)


@torch.no_grad()
def initialize(mlp: DeepMLP, start: Start, layers: int) -> None:
    """Draw its weights: `default` from U(-a, a), a = 1/√n of n inputs, as PyTorch does; `gpt2` N(0, 0.02²); `he` N(0, 2/n).

    The last matrix is divided by √(2 · layers) in the latter two, as in GPT-2, which keeps the scale of the sum of all blocks.
    """
    for linear in mlp.linears:
        weight = linear.get_parameter("weight")
        inputs = weight.shape[1]
        if start == "default":
            nn.init.uniform_(weight, -1 / math.sqrt(inputs), 1 / math.sqrt(inputs))
        else:
            nn.init.normal_(weight, std=0.02 if start == "gpt2" else math.sqrt(2 / inputs))
    if start != "default":
        mlp.linears[-1].get_parameter("weight").div_(math.sqrt(2 * layers))
