"""How fast an output changes as a continuous transformation of the input begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel


def lie_derivative(
    f: Callable[[Tensor], Tensor], x: Tensor, tangent: Tensor, output_tangent: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """d/dt of g_{-t}·f(g_t·x) at t = 0, by a single forward-mode product:

        L f(x) = J_f(x) · v(x) - w(f(x)),     v = d(g_t·x)/dt,     w = d(g_t·y)/dt

    x and tangent v(x) (B, ...). output_tangent: returns w(y) for an output that transforms too; None if the output should stay
    the same. The result has the shape of f(x). The tangent is analytic instead of a resampling inside f, because bilinear
    sampling has no derivative at whole pixels and `grid_sample` has no forward mode. Fused attention on a CPU has no forward mode
    either, so its plain form runs. Raises what f raises, and NotImplementedError or RuntimeError if f has an operation without
    forward mode.

    Source: Gruver, Finzi, Goldblum & Wilson, "The Lie Derivative for Measuring Learned Equivariance", ICLR 2023, eq. 2.
    """
    with sdpa_kernel(SDPBackend.MATH):
        y, change = cast("tuple[Tensor, Tensor]", torch.func.jvp(f, (x,), (tangent,)))
    return change if output_tangent is None else change - output_tangent(y)


def local_equivariance_error(derivative: Tensor) -> Tensor:
    """‖L f(x)‖² / dim of each input, (B,): the squared RMS change of an entry per unit of t. derivative (B, ...)."""
    return derivative.flatten(1).square().mean(1)
