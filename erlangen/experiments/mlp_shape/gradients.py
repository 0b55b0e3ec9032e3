"""The gradients of an MLP's layers: do they vanish on their way to the first?

    weights   ‖∂L/∂W_1‖ / ‖∂L/∂W_{depth+1}‖
    signal    ‖∂L/∂z_1‖ / ‖∂L/∂z_{depth+1}‖,   z_i = W_i h_{i-1}, over all tokens

The two are not the same: where a start shrinks the activations as much as it shrinks what flows back, every ∂L/∂W_i is a small
number times a large one, and their ratio stays while the signal vanishes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.experiments.mlp_shape.shapes import mlp_of
from erlangen.models.gpt import GPT

TINY = 1e-300  # a norm of 0 counts as this where a logarithm is taken


@dataclass(frozen=True)
class Gradients:
    """Norms by layer of the MLP, first to last; geometric means over the blocks of the net."""

    weights: tuple[float, ...]
    signal: tuple[float, ...]

    @property
    def weight_ratio(self) -> float:
        """First over last."""
        return self.weights[0] / self.weights[-1]

    @property
    def signal_ratio(self) -> float:
        """First over last."""
        return self.signal[0] / self.signal[-1]


def gradients(model: GPT, rows: Tensor) -> Gradients:
    """Of the mean loss on rows (B, T + 1). Leaves the model without gradients, in the mode in which it was."""
    outputs: list[Tensor] = []  # block by block, layer by layer

    def keep(layer: object, given: object, out: Tensor) -> None:
        out.retain_grad()
        outputs.append(out)

    linears = [linear for block in model.blocks for linear in mlp_of(block).linears]
    hooks = [linear.register_forward_hook(keep) for linear in linears]
    training = model.training
    model.eval().zero_grad(set_to_none=True)
    loss: Tensor = model(rows[:, :-1], targets=rows[:, 1:])
    loss.backward()  # type: ignore[no-untyped-call]
    weights = [norm(linear.get_parameter("weight").grad) for linear in linears]
    signal = [norm(out.grad) for out in outputs]
    for hook in hooks:
        hook.remove()
    model.train(training).zero_grad(set_to_none=True)
    blocks = len(model.blocks)
    return Gradients(over_blocks(weights, blocks), over_blocks(signal, blocks))


def norm(gradient: Tensor | None) -> float:
    """The root of the sum of squares."""
    return math.nan if gradient is None else float(torch.linalg.vector_norm(gradient.double()))


def over_blocks(norms: Sequence[float], blocks: int) -> tuple[float, ...]:
    """Norms, block by block and layer by layer -> for each layer the geometric mean over blocks."""
    depth = len(norms) // blocks
    return tuple(geometric_mean(norms[layer::depth]) for layer in range(depth))


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean logarithm; 0 counts as TINY."""
    return math.exp(sum(math.log(max(value, TINY)) for value in values) / len(values))
