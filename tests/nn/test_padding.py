"""Oracles: torch.nn.functional.pad and numpy.pad."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Tensor

from erlangen.nn.padding import OUTSIDE, PADDINGS, Padding, output_size, pad, source_index

TORCH_MODE = {"zeros": "constant", "replicate": "replicate", "reflect": "reflect", "circular": "circular"}
NUMPY_MODE = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}
COPYING = ("replicate", "reflect", "circular")
FORMATS = (torch.contiguous_format, torch.channels_last)

by_mode = pytest.mark.parametrize("mode", TORCH_MODE)
by_padding = pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)


def least_side(mode: str, width: int) -> int:
    """The smallest side from which torch itself pads by `width`."""
    return {"reflect": width + 1, "circular": max(width, 1)}.get(mode, 1)


def reference_pad(x: Tensor, padding: Padding) -> Tensor:
    return F.pad(x, [padding.width] * 4, mode=TORCH_MODE[padding.mode])


def integers(*shape: int, rng: torch.Generator, dtype: torch.dtype = torch.float64) -> Tensor:
    """Whole numbers: their sums are exact in any order."""
    return torch.randint(-9, 10, shape, generator=rng).to(dtype)


@given(st.sampled_from(list(TORCH_MODE)), st.tuples(*[st.integers(0, 3)] * 4), st.booleans(), st.sampled_from(FORMATS))
def test_each_side_has_a_width_of_its_own(mode: str, widths: tuple[int, ...], batched: bool, memory_format) -> None:
    x = integers(2, 3, 4, 5, rng=torch.Generator().manual_seed(0)).contiguous(memory_format=memory_format)
    x = (x if batched else x[1]).requires_grad_()
    ours, theirs = pad(x, widths, mode), F.pad(x, widths, mode=TORCH_MODE[mode])
    upstream = integers(*theirs.shape, rng=torch.Generator().manual_seed(1))
    assert torch.equal(ours, theirs)
    assert torch.equal(torch.autograd.grad(ours, x, upstream)[0], torch.autograd.grad(theirs, x, upstream)[0])


@st.composite
def padded_images(draw: st.DrawFn) -> tuple[Tensor, Padding]:
    mode, width = draw(st.sampled_from(list(TORCH_MODE))), draw(st.integers(0, 5))
    least = least_side(mode, width)
    shape = [draw(st.integers(*bounds)) for bounds in ((1, 2), (1, 4), (least, least + 6), (least, least + 6))]
    x = integers(*shape, rng=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    return x.contiguous(memory_format=draw(st.sampled_from(FORMATS))), Padding(mode, width)


@given(padded_images())
def test_pad_and_its_gradient_equal_torchs(case: tuple[Tensor, Padding]) -> None:
    x, padding = case
    x.requires_grad_()
    ours, theirs = pad(x, padding.width, padding.mode), reference_pad(x, padding)
    upstream = integers(*theirs.shape, rng=torch.Generator().manual_seed(1))
    assert torch.equal(ours, theirs)
    assert torch.equal(torch.autograd.grad(ours, x, upstream)[0], torch.autograd.grad(theirs, x, upstream)[0])


@by_mode
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("memory_format", FORMATS, ids=["contiguous", "channels_last"])
def test_gradient_equals_finite_differences(
    mode: str, width: int, memory_format: torch.memory_format, rng: torch.Generator
) -> None:
    x = torch.randn(1, 2, 4, 6, dtype=torch.float64, generator=rng).contiguous(memory_format=memory_format).requires_grad_()
    assert torch.autograd.gradcheck(lambda image: pad(image, width, mode), x)


@pytest.mark.parametrize("mode", COPYING)
def test_second_derivative_equals_finite_differences(mode: str, rng: torch.Generator) -> None:
    x = torch.randn(1, 1, 3, 4, dtype=torch.float64, generator=rng, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda image: pad(image, 2, mode).square(), x)


@by_mode
def test_gradient_of_a_sum_counts_how_often_a_pixel_is_shown(mode: str) -> None:
    """The upstream gradient of a sum is an expanded scalar: no memory of its own to add into."""
    x = torch.zeros(1, 1, 5, 4, dtype=torch.float64, requires_grad=True)
    pad(x, 2, mode).sum().backward()
    shown = np.pad(np.arange(20).reshape(5, 4), 2, mode=NUMPY_MODE[mode], **({"constant_values": -1} if mode == "zeros" else {}))
    assert x.grad.flatten().tolist() == [(shown == pixel).sum() for pixel in range(20)]


@by_mode
def test_pad_changes_neither_its_input_nor_the_upstream_gradient(mode: str, rng: torch.Generator) -> None:
    x = integers(2, 3, 5, 6, rng=rng).requires_grad_()
    upstream = integers(2, 3, 9, 10, rng=rng)
    before = x.detach().clone(), upstream.clone()
    torch.autograd.grad(pad(x, 2, mode), x, upstream)
    assert torch.equal(x, before[0])
    assert torch.equal(upstream, before[1])


@by_mode
@pytest.mark.parametrize("memory_format", FORMATS, ids=["contiguous", "channels_last"])
def test_memory_format_is_kept(mode: str, memory_format: torch.memory_format) -> None:
    x = torch.zeros(2, 3, 5, 7).to(memory_format=memory_format)
    assert pad(x, 2, mode).is_contiguous(memory_format=memory_format)


@by_mode
def test_views_are_padded_as_their_copies_are(mode: str, rng: torch.Generator) -> None:
    x = integers(2, 3, 12, 9, rng=rng)[:, 1:, ::2, 2:].transpose(2, 3)
    assert torch.equal(pad(x, 2, mode), pad(x.contiguous(), 2, mode))


@pytest.mark.parametrize("mode", ["reflect", "circular"])
@pytest.mark.parametrize("tall", [True, False])
def test_too_small_an_image_is_refused_by_mode_and_size(mode: str, tall: bool) -> None:
    side = least_side(mode, 3) - 1
    height, width = (9, side) if tall else (side, 9)
    with pytest.raises(ValueError, match=rf"{mode}.*\b3\b.*{height}×{width}"):
        pad(torch.zeros(1, 1, height, width), 3, mode)


@given(st.sampled_from(list(TORCH_MODE)), st.integers(0, 6), st.integers(0, 6))
def test_source_index_names_what_numpy_pads_with(mode: str, width: int, more: int) -> None:
    size = least_side(mode, width) + more
    filled = {"constant_values": OUTSIDE} if mode == "zeros" else {}
    expected = np.pad(np.arange(size), width, mode=NUMPY_MODE[mode], **filled)
    assert [source_index(position, size, mode) for position in range(-width, size + width)] == expected.tolist()


@given(st.integers(1, 24), st.integers(1, 7), st.integers(1, 4), st.integers(0, 4))
def test_output_size_is_that_of_a_real_convolution(size: int, kernel_size: int, stride: int, width: int) -> None:
    x, w = torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel_size, kernel_size)
    if size + 2 * width < kernel_size:
        with pytest.raises(RuntimeError, match="Kernel size"):
            F.conv2d(x, w, stride=stride, padding=width)
        assert output_size(size, kernel_size, stride, width) == 0
    else:
        assert output_size(size, kernel_size, stride, width) == F.conv2d(x, w, stride=stride, padding=width).shape[-1]


def test_paddings_are_those_of_claim_c2() -> None:
    widths = {name: (padding.mode, padding.width) for name, padding in PADDINGS.items()}
    zeros = {"valid": ("zeros", 0), "sconv": ("zeros", 1), "fconv": ("zeros", 2)}
    assert widths == zeros | {mode: (mode, 2) for mode in COPYING}


@pytest.mark.parametrize("mode", ["zeros", "replicate", "reflect", "circular"])
def test_pad_is_linear_and_its_own_derivative(mode: str) -> None:
    x, tangent = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    out, derivative = torch.func.jvp(lambda x: pad(x, 2, mode), (x,), (tangent,))
    assert torch.equal(out, pad(x, 2, mode))
    assert torch.equal(derivative, pad(tangent, 2, mode))


@pytest.mark.parametrize("mode", ["zeros", "replicate", "reflect", "circular"])
@pytest.mark.parametrize("axis", [0, 1])
def test_pad_maps_over_a_further_axis(mode: str, axis: int) -> None:
    x = torch.randn(3, 3, 2, 4, 5)
    mapped = torch.vmap(lambda x: pad(x, 2, mode), in_dims=axis)(x)
    assert torch.equal(mapped, torch.stack([pad(part, 2, mode) for part in x.unbind(axis)]))


@pytest.mark.parametrize("shape", [(8, 8), (1, 1, 3, 8, 8)], ids=str)
def test_pad_wants_three_or_four_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(N, C, H, W\) or \(C, H, W\)"):
        pad(torch.zeros(shape), 1, "reflect")


def test_pad_refuses_a_negative_width() -> None:
    with pytest.raises(ValueError, match="negative"):
        pad(torch.zeros(1, 1, 8, 8), -1, "zeros")


@pytest.mark.parametrize("widths", [(1, 2), (1, 2, 3), (1,) * 6], ids=str)
def test_pad_takes_one_width_or_four(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one width, or four: left, right, top, bottom"):
        pad(torch.zeros(1, 1, 8, 8), widths, "zeros")


def test_the_side_that_is_too_large_is_the_one_that_is_named() -> None:
    with pytest.raises(ValueError, match="reflect padding of 4 needs at least 5 pixels per side, but the image is 9×4"):
        pad(torch.zeros(1, 1, 9, 4), (0, 4, 8, 8), "reflect")


@pytest.mark.parametrize("made", [lambda: Padding("circuler", 1), lambda: pad(torch.zeros(1, 1, 3, 3), 1, "circuler")])
def test_an_unknown_mode_is_refused_by_name(made) -> None:
    with pytest.raises(ValueError, match="padding mode 'circuler' is unknown: choose one of zeros, replicate, reflect, circular"):
        made()


def test_a_padding_is_not_negative() -> None:
    with pytest.raises(ValueError, match="-1 pixels is negative"):
        Padding("zeros", -1)
