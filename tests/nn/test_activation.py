"""GELU by the sigmoid: as exact as torch's tanh form, gradients nearly, at any size and far out."""

import pytest
import torch
import torch.nn.functional as F

from erlangen.nn import activation
from erlangen.nn.activation import gelu


def everywhere() -> torch.Tensor:
    """Every finite bfloat16."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    return bits[bits.isfinite()]


def test_every_bfloat16_is_as_exact_as_torchs() -> None:
    x = everywhere().requires_grad_()
    exact = F.gelu(x.detach().double(), approximate="tanh")
    mine, theirs = ((f(x) - exact).abs() for f in (gelu, lambda x: F.gelu(x, approximate="tanh")))
    assert (mine <= theirs + exact.abs() * 2**-8 + 1e-7).all()
    assert (gelu(x).detach()[x < -20] == 0).all()


def test_gradients_round_half_as_much_again_as_torchs_at_most() -> None:
    x = everywhere()
    x = x[x.abs() < 30].requires_grad_()
    wide = x.detach().double().requires_grad_()
    (exact,) = torch.autograd.grad(F.gelu(wide, approximate="tanh").sum(), wide)
    (mine,) = torch.autograd.grad(gelu(x).sum(), x)
    (theirs,) = torch.autograd.grad(F.gelu(x, approximate="tanh").sum(), x)
    assert (mine - exact).abs().max() <= 1.5 * (theirs - exact).abs().max()


def test_pieces_join(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(7, 11, dtype=torch.bfloat16, requires_grad=True)
    whole = gelu(x), *torch.autograd.grad(gelu(x).sum(), x)
    monkeypatch.setattr(activation, "PIECE", 5)
    pieces = gelu(x), *torch.autograd.grad(gelu(x).sum(), x)
    assert all(torch.equal(a, b) for a, b in zip(whole, pieces, strict=True))


def test_other_types_are_torchs_own() -> None:
    x = torch.randn(9, dtype=torch.float64, requires_grad=True)
    assert torch.equal(gelu(x), F.gelu(x, approximate="tanh"))


def test_transposed_inputs_and_gradients() -> None:
    x = torch.randn(6, 4).bfloat16().t().requires_grad_()
    y = gelu(x)
    (gradient,) = torch.autograd.grad(y, x, torch.ones(6, 4, dtype=torch.bfloat16).t())
    assert y.shape == gradient.shape == (4, 6)
    torch.testing.assert_close(y.float(), F.gelu(x.float(), approximate="tanh"), rtol=1e-2, atol=1e-2)
