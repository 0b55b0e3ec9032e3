"""The oracle is torch's own convolution, one net after another, in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.train.stacked_convolution import StackedConvolutions, folded, summed_product, unfolded


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def stacked(x: Tensor, weight: Tensor, stride: int, padding: int, shared: bool) -> Tensor:
    def one(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight, None, (stride, stride), padding)

    with StackedConvolutions():
        out: Tensor = torch.vmap(one, in_dims=(None if shared else 0, 0))(x, weight)
    return out


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("size", [(7, 6), (8, 10)])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("shared", [False, True])
def test_outputs_and_gradients_are_those_of_each_net(
    device: str, size: tuple[int, int], stride: int, padding: int, shared: bool
) -> None:
    x = numbers(*(() if shared else (3,)), 6, 4, *size).to(device).requires_grad_()
    weight = numbers(3, 5, 4, 3, 3, seed=1).to(device).requires_grad_()
    found = stacked(x, weight, stride, padding, shared)
    rows = [x] * 3 if shared else x.unbind()
    expected = torch.stack([F.conv2d(row, w, None, stride, padding) for row, w in zip(rows, weight, strict=True)])
    torch.testing.assert_close(found, expected)
    directions = numbers(*expected.shape, seed=2).to(device)
    ours, theirs = (torch.autograd.grad((y * directions).sum(), (x, weight)) for y in (found, expected))
    torch.testing.assert_close(ours, theirs)


def test_each_net_has_its_own_output_and_each_pixels_channels_are_side_by_side() -> None:
    x, weight = numbers(3, 2, 4, 6, 6), numbers(3, 5, 4, 3, 3, seed=1)
    y = stacked(x, weight, 1, 0, shared=False)
    assert y[0].is_contiguous(memory_format=torch.channels_last)
    weight[1] = 0
    changed = (stacked(x, weight, 1, 0, shared=False) != y).flatten(1).any(1)
    assert changed.tolist() == [False, True, False]


def test_folding_is_the_transpose_of_unfolding() -> None:
    pixels = numbers(2, 3, 8, 7, 4)
    windows = unfolded(pixels, 3, 2)  # (B, N, h, w, k, k, C)
    assert windows.shape == (2, 3, 3, 3, 3, 3, 4)
    assert torch.equal(windows[1, 2, 1, 2], pixels[1, 2, 2:5, 4:7])
    other = numbers(*windows.shape, seed=1)
    torch.testing.assert_close((windows * other).sum(), (pixels * folded(other, (8, 7), 2)).sum())


@pytest.mark.parametrize("images", [1, 7, 50, 53, 200])
def test_a_sum_over_images_in_parts_is_the_sum(images: int) -> None:
    columns, rows = numbers(2, images * 6, 9), numbers(2, images * 6, 5, seed=1)
    torch.testing.assert_close(summed_product(columns, rows, images), columns.mT @ rows)


def test_under_autocast_it_computes_in_bfloat16_as_torchs_convolution_does() -> None:
    x, weight = numbers(3, 2, 4, 6, 6).float(), numbers(3, 5, 4, 3, 3, seed=1).float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = stacked(x, weight, 1, 1, shared=False)
        expected = F.conv2d(x[1], weight[1], None, 1, 1)
    assert y.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(y[1], expected, rtol=0.02, atol=0.02)
    (gradient,) = torch.autograd.grad(y.float().sum(), weight)
    assert gradient.dtype == torch.float32


def test_what_it_cannot_stack_is_refused() -> None:
    x, weight = numbers(2, 4, 6, 6), numbers(5, 4, 3, 3)
    with StackedConvolutions():
        with pytest.raises(RuntimeError, match=r"needs torch\.vmap"):
            F.conv2d(x, weight)
        with pytest.raises(ValueError, match="one stride and one width of padding"):
            F.conv2d(x, weight, torch.zeros(5))
        with pytest.raises(ValueError, match="one stride and one width of padding"):
            F.conv2d(x, weight, None, (1, 2))
        assert torch.equal(F.relu(x), x.clamp(min=0))  # all else is left alone
    assert F.conv2d(x, weight).shape == (2, 5, 4, 4)
