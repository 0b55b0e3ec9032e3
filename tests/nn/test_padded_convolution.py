"""Oracle: torch.nn.Conv2d, with every argument that it takes."""

import copy
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from erlangen.nn.padded_convolution import PaddedConv2d
from erlangen.nn.padding import PADDINGS, Padding

TORCH_MODE = {"zeros": "constant", "replicate": "replicate", "reflect": "reflect", "circular": "circular"}
by_padding = pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)
by_mode = pytest.mark.parametrize("mode", TORCH_MODE)


def reference_pad(x: Tensor, padding: Padding) -> Tensor:
    return F.pad(x, [padding.width] * 4, mode=TORCH_MODE[padding.mode])


def padded(c_in: int, c_out: int, kernel_size: int, stride: int, padding: Padding) -> PaddedConv2d:
    return PaddedConv2d(c_in, c_out, kernel_size, stride, padding.width, bias=False, padding_mode=padding.mode)


def gradients(y: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    """Of a weighted sum of y: no two outputs count alike."""
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    return torch.autograd.grad((y * weights).sum(), leaves)


@by_padding
@pytest.mark.parametrize("stride", [1, 2])
def test_padded_convolution_is_torchs_on_a_padded_image(
    padding: Padding, stride: int, dtype: torch.dtype, rng: torch.Generator
) -> None:
    conv = padded(3, 4, 3, stride, padding).to(dtype)
    x = torch.randn(2, 3, 7, 6, dtype=dtype, generator=rng, requires_grad=True)
    ours, theirs = conv(x), F.conv2d(reference_pad(x, padding), conv.weight, stride=stride)
    # The rounding of a sum of 27 products of order 1, of some 100 for the weights' gradient.
    bounds = {"rtol": 0, "atol": 1e-4 if dtype == torch.float32 else 1e-12}
    torch.testing.assert_close(ours, theirs, **bounds)
    torch.testing.assert_close(gradients(ours, x, conv.weight), gradients(theirs, x, conv.weight), **bounds)


@by_padding
@pytest.mark.parametrize("autocast", [True, False], ids=["autocast", "cast"])
def test_padded_convolution_in_bfloat16(padding: Padding, autocast: bool, rng: torch.Generator) -> None:
    """Against float64. Rounding input, weight and output to 8 bits moves a sum by less than 2⁻⁷ of its absolute terms."""
    conv = padded(3, 4, 3, 1, padding)
    x = torch.randn(2, 3, 7, 6, generator=rng)
    shown, weight = reference_pad(x, padding).double(), conv.weight.detach().double().requires_grad_()
    exact, bound = F.conv2d(shown, weight), 2**-7 * F.conv2d(shown.abs(), weight.abs())
    if not autocast:
        conv, x = conv.bfloat16(), x.bfloat16()
    with torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext():
        y = conv(x)
    assert y.dtype == torch.bfloat16
    assert ((y.double() - exact).abs() <= bound).all()
    ours, theirs = gradients(y, conv.weight)[0].double(), gradients(exact, weight)[0]
    assert (ours - theirs).norm() <= 2**-6 * theirs.norm()


@by_padding
def test_one_seed_draws_one_weight_for_every_padding_and_for_conv2d(padding: Padding) -> None:
    torch.manual_seed(3)
    ours = padded(3, 8, 3, 2, padding)
    torch.manual_seed(3)
    theirs = nn.Conv2d(3, 8, 3, 2, bias=False)
    assert ours.bias is None
    assert torch.equal(ours.weight, theirs.weight)


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Of a convolution of images of 9×8 pixels."""
    pair = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))
    width = st.one_of(st.sampled_from(["valid", "same"]), st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2)))
    made = {"kernel_size": draw(pair), "dilation": draw(pair), "padding": draw(width), "stride": draw(pair)}
    groups = draw(st.sampled_from([1, 2]))
    if made["padding"] == "same":
        made["stride"] = 1
    return made | {"groups": groups, "bias": draw(st.booleans()), "padding_mode": draw(st.sampled_from(list(TORCH_MODE)))}


def twins(**made: Any) -> tuple[PaddedConv2d, nn.Conv2d]:
    ours, theirs = PaddedConv2d(4, 6, **made, dtype=torch.float64), nn.Conv2d(4, 6, **made, dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@given(arguments(), st.booleans())
@settings(max_examples=150)
def test_every_argument_does_what_it_does_in_conv2d(made: dict[str, Any], batched: bool) -> None:
    ours, theirs = twins(**made)
    x = torch.randn(2, 4, 9, 8, dtype=torch.float64)
    x = (x if batched else x[0]).requires_grad_()
    try:
        expected = theirs(x)
    except RuntimeError as error:  # the kernel does not fit
        with pytest.raises(RuntimeError, match=str(error)[:40].replace("(", ".").replace(")", ".")):
            ours(x)
        return
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-12)
    mine, others = (gradients(y, x, *net.parameters()) for y, net in ((ours(x), ours), (expected, theirs)))
    torch.testing.assert_close(mine, others, rtol=0, atol=1e-11)


@by_mode
def test_it_says_what_it_is_and_keeps_it(mode: str) -> None:
    ours, theirs = twins(kernel_size=3, stride=2, padding=(1, 2), dilation=2, groups=2, padding_mode=mode)
    assert repr(ours) == repr(theirs).replace("Conv2d(", "PaddedConv2d(")
    assert (ours.padding_mode, ours.padding) == (mode, (1, 2))
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    assert torch.equal(copy.deepcopy(ours)(x), ours(x))
    assert torch.equal(ours(input=x), ours(x))


@by_mode
def test_fused_with_a_norm_it_gives_the_same_numbers(mode: str) -> None:
    """Torch folds the norm's shift into the bias: a convolution that ignores its bias would be wrong from then on."""
    conv, norm = (
        PaddedConv2d(3, 4, 3, padding=2, padding_mode=mode, bias=False).double().eval(),
        nn.BatchNorm2d(4).double().eval(),
    )
    nn.init.normal_(norm.running_mean)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    fused = fuse_conv_bn_eval(conv, norm)
    assert fused.bias.abs().max() > 0.1
    torch.testing.assert_close(fused(x), norm(conv(x)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"padding": "foo"}, "Invalid padding string"), ({"padding": "same", "stride": 2}, "padding='same'"),
        ({"groups": -1}, "groups must be a positive integer"), ({"padding_mode": "circuler"}, "padding_mode must be one of"),
    ],
)  # fmt: skip
def test_what_conv2d_refuses_is_refused(made: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PaddedConv2d(4, 6, 3, **made)
