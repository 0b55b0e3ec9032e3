"""The receptive field of an output: which inputs it can depend on, and how much each of them matters.

The theoretical field is the set of inputs on which an output can depend at all. The effective field is how much it does:

    field(p) = mean over inputs of Σ over channels c and outputs o of (∂y_o / ∂x_{c, p})²

Source: Luo, Li, Urtasun & Zemel, "Understanding the effective receptive field in deep convolutional neural networks", NeurIPS
2016.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor


def gradient_field(
    function: Callable[[Tensor], Tensor], inputs: Tensor, directions: int = 1, generator: Generator | None = None
) -> Tensor:
    """How much the outputs of `function` depend on each place of the inputs: the field above, in float64, of shape (*space).

    inputs (N, C, *space). function: inputs -> the outputs whose field is asked for, (N, ...), such as the features of the middle
    pixel; those of a row may depend on no other row. The sum over outputs is estimated without bias by `directions` random ones:
    E[(∂(u · y) / ∂x)²] = Σ_o (∂y_o / ∂x)² for u ~ N(0, I), drawn on the CPU, so that it is the same on every device. Raises
    ValueError for inputs without space.
    """
    if inputs.ndim < 3:
        raise ValueError(f"gradient_field: inputs must be (N, C, *space), but have shape {tuple(inputs.shape)}")
    x = inputs.detach().requires_grad_()
    outputs = function(x)
    total = torch.zeros(inputs.shape[2:], dtype=torch.float64, device=inputs.device)
    for _ in range(directions):
        u = torch.randn(outputs.shape, generator=generator, dtype=torch.float64).to(outputs)
        (gradient,) = torch.autograd.grad((u * outputs).sum(), x, retain_graph=True)  # (N, C, *space)
        total += gradient.double().square().sum((0, 1))
    return total / (directions * len(inputs))


def field_deviation(field: Tensor) -> tuple[float, ...]:
    """The standard deviation of a place that is drawn in proportion to `field` (*space), along each axis, in places.

    NaN where the field is zero everywhere.
    """
    share = field.double() / field.double().sum()
    return tuple(_deviation(along(share, axis)) for axis in range(field.ndim))


def along(field: Tensor, axis: int) -> Tensor:
    """The field summed over all axes but one, (places along `axis`,)."""
    others = [other for other in range(field.ndim) if other != axis]
    return field.sum(others) if others else field


def _deviation(share: Tensor) -> float:
    """√(Σ share · (p - mean)²) for shares (n,) that sum to 1."""
    places = torch.arange(len(share), dtype=share.dtype, device=share.device)
    return float((share * (places - (share * places).sum()).square()).sum().sqrt())


def field_extent(field: Tensor) -> tuple[int, ...]:
    """From the first to the last place where `field` (*space) is not exactly zero, along each axis; 0 where it is zero.

    Of a gradient this is the theoretical field where no two paths cancel, as with positive weights.
    """
    extents = []
    for axis in range(field.ndim):
        reached = along((field != 0).double(), axis).nonzero()
        extents.append(int(reached.max() - reached.min()) + 1 if len(reached) else 0)
    return tuple(extents)
