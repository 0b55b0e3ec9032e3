"""RMSNorm: torch's, in value and gradient."""

import pytest
import torch

from erlangen.nn.norm import RMSNorm


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("training", [True, False])
def test_it_is_torchs(dtype: torch.dtype, tolerance: float, training: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = RMSNorm(12).to(dtype).train(training), torch.nn.RMSNorm(12, eps=1e-5).to(dtype)
    with torch.no_grad():
        ours.weight.normal_()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 5, 12, dtype=dtype, requires_grad=True)
    out = torch.randn(3, 5, 12, dtype=dtype)
    gradients = [torch.autograd.grad((norm(x) * out).sum(), [x, norm.weight]) for norm in (ours, theirs)]
    torch.testing.assert_close(ours(x), theirs(x), rtol=tolerance, atol=tolerance)
    for mine, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, expected, rtol=10 * tolerance, atol=tolerance)


def test_its_gradient_is_that_of_differences() -> None:
    torch.manual_seed(1)
    norm = RMSNorm(6).double()
    assert torch.autograd.gradcheck(norm, torch.randn(4, 6, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("training", [True, False])
def test_under_autocast_it_gives_what_products_take(training: bool) -> None:
    norm, x = RMSNorm(8).train(training), torch.randn(2, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = norm(x)
    assert y.dtype == torch.bfloat16
    (gradient,) = torch.autograd.grad(y.float().sum(), x)
    assert gradient.dtype == torch.float32


def test_zeros_stay_zeros() -> None:
    x = torch.zeros(2, 8, requires_grad=True)
    y = RMSNorm(8)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert not y.any()
    assert gradient.isfinite().all()
