"""Padding, padded convolutions and the nets on a GPU. The oracle is the same layer on the CPU in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.nn.padded_convolution import PaddedConv2d
from erlangen.nn.padding import PADDINGS, Padding, pad
from erlangen.nn.tf32 import EPSILON, tf32
from erlangen.train.stacked_convolution import StackedConvolutions

pytestmark = pytest.mark.cuda

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
# Of the largest entry: factors rounded to 24, 11 and 8 bits, in sums of up to 2304 products, through up to six layers.
BOUND = {"float64": 1e-12, "float32": 2e-5, "tf32": 4 * EPSILON, "bfloat16": 0.03}

by_padding = pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)
by_format = pytest.mark.parametrize("memory_format", FORMATS.values(), ids=FORMATS)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradients(y: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    """Of a weighted sum of y: no two outputs count alike. The weights are representable in every dtype."""
    weights = (torch.arange(y.numel(), device=y.device) % 7 - 3).view(y.shape).to(y.dtype)
    return torch.autograd.grad((y * weights).sum(), leaves)


def assert_near(found: Tensor, expected: Tensor, precision: str) -> None:
    """Up to the precision's share of the largest entry."""
    assert found.is_cuda
    assert not expected.is_cuda
    error = float((found.detach().double().cpu() - expected.detach()).abs().max())
    assert error <= BOUND[precision] * float(expected.detach().abs().max())


@by_padding
@by_format
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_pad_copies_bit_for_bit_and_keeps_the_format(padding: Padding, memory_format: torch.memory_format, dtype: torch.dtype):
    here = numbers(3, 4, 7, 6).to(dtype).contiguous(memory_format=memory_format)
    there = here.cuda().requires_grad_()
    out = pad(there, padding.width, padding.mode)
    assert torch.equal(out.cpu(), pad(here, padding.width, padding.mode))
    assert out.is_contiguous(memory_format=memory_format)
    whole = torch.randint(-4, 5, out.shape, generator=torch.Generator().manual_seed(1)).to(dtype)  # sums are exact
    here.requires_grad_()
    (expected,) = torch.autograd.grad(pad(here, padding.width, padding.mode), here, whole)
    assert torch.equal(torch.autograd.grad(out, there, whole.cuda())[0].cpu(), expected)


@by_padding
@by_format
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("precision", ["float64", "float32", "tf32", "bfloat16"])
def test_padded_convolution_and_its_gradients(padding: Padding, memory_format: torch.memory_format, stride: int, precision: str):
    conv = PaddedConv2d(8, 16, 3, stride, padding.width, bias=False, padding_mode=padding.mode).double()
    x = numbers(4, 8, 9, 10).requires_grad_()
    expected = conv(x)
    dtype = torch.float64 if precision == "float64" else torch.float32
    twin = PaddedConv2d(8, 16, 3, stride, padding.width, bias=False, padding_mode=padding.mode).to("cuda", dtype)
    twin.load_state_dict(conv.state_dict())
    there = x.detach().to("cuda", dtype).contiguous(memory_format=memory_format).requires_grad_()
    with tf32(precision == "tf32"), torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
        found = twin(there)
        theirs = gradients(found.float() if precision == "bfloat16" else found, there, twin.weight)
    assert_near(found, expected, precision)
    for ours, right in zip(theirs, gradients(expected, x, conv.weight), strict=True):
        assert_near(ours, right, precision)


def twins(net: str, padding: str, dtype: torch.dtype) -> tuple[PaddedCNN, PaddedCNN]:
    """A net on the CPU in float64, and the same on the GPU."""
    torch.manual_seed(0)
    model = PaddedCNN(PaddedCNNConfig(net=net, padding=padding))  # type: ignore[arg-type]
    there = PaddedCNN(PaddedCNNConfig(net=net, padding=padding))  # type: ignore[arg-type]
    there.load_state_dict(model.state_dict())
    return model.double(), there.to("cuda", dtype)


def pictures(n: int) -> Tensor:
    return (numbers(n, 3, 32, 32) > 1).double()


@by_format
@pytest.mark.parametrize("net", ["Net1", "Net2"])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("precision", ["float64", "float32", "tf32", "bfloat16"])
def test_nets_and_their_gradients(net: str, padding: str, memory_format: torch.memory_format, precision: str):
    model, twin = twins(net, padding, torch.float64 if precision == "float64" else torch.float32)
    x, labels = pictures(16), torch.arange(16) % 2
    there = x.to("cuda", next(twin.parameters()).dtype).contiguous(memory_format=memory_format)
    expected = model(x)
    right = torch.autograd.grad(F.cross_entropy(expected, labels), list(model.parameters()))
    with tf32(precision == "tf32"), torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
        found = twin(there)
        theirs = torch.autograd.grad(F.cross_entropy(found, labels.cuda()), list(twin.parameters()))
    assert_near(found, expected, precision)
    for ours, gradient in zip(theirs, right, strict=True):
        if precision in ("float64", "float32"):
            assert_near(ours, gradient, precision)
        else:  # a maximum that another pixel wins by rounding moves its gradient there
            cosine = F.cosine_similarity(ours.double().cpu().flatten(), gradient.flatten(), dim=0)
            assert cosine > 0.9


@pytest.mark.parametrize("net", ["Net1", "Net2"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_a_step_has_the_same_bits_twice(net: str, padding: str, monkeypatch: pytest.MonkeyPatch):
    """torch's own copying paddings have no deterministic gradient on a GPU; these have."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    _, twin = twins(net, padding, torch.float32)
    x, labels = pictures(200).float().cuda().contiguous(memory_format=torch.channels_last), (torch.arange(200) % 2).cuda()
    first, second = (torch.autograd.grad(F.cross_entropy(twin(x), labels), list(twin.parameters())) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("mode", ["replicate", "reflect", "circular"])
@pytest.mark.parametrize("axis", [0, 1])
def test_pad_maps_over_nets(mode: str, axis: int):
    x = numbers(3, 3, 4, 6, 5).cuda()
    mapped = torch.vmap(lambda one: pad(one, 2, mode), in_dims=axis)(x)  # type: ignore[arg-type]
    assert torch.equal(mapped, torch.stack([pad(one, 2, mode) for one in x.unbind(axis)]))  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [32, 64])
def test_stacked_convolutions_compute_in_the_precision_that_is_set(channels: int):
    """torch's own convolutions of these sizes are in float32 either way, since no library has a TF32 kernel for them."""
    x, weight = numbers(3, 50, channels, 16, 16).cuda(), numbers(3, 64, channels, 3, 3, seed=1).cuda()

    def stacked(dtype: torch.dtype) -> Tensor:
        with StackedConvolutions():
            out: Tensor = torch.vmap(lambda one, w: F.conv2d(one, w, None, (2, 2), 1))(x.to(dtype), weight.to(dtype))
        return out.double()

    exact, errors = stacked(torch.float64), {}
    for rounded in (False, True):
        with tf32(rounded):
            errors[rounded] = float((stacked(torch.float32) - exact).norm() / exact.norm())
    assert errors[False] < 2e-6
    assert 5e-5 < errors[True] < 2e-3
