"""Whole-number weights and images in float64: sums are then exact in any order, so equal means equal on every machine."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, strategies as st
from torch import Tensor, nn

from erlangen.data.red_green import red_green
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.nn.padding import PADDINGS

NETS = ("Net1", "Net2")
by_padding = pytest.mark.parametrize("padding", PADDINGS)
by_net = pytest.mark.parametrize("net", NETS)


def seeded(seed: int = 0, **config: object) -> PaddedCNN:
    torch.manual_seed(seed)
    return PaddedCNN(PaddedCNNConfig(**config))


def whole_numbers(rng: torch.Generator, **config: object) -> PaddedCNN:
    """A net with weights in {-2, ..., 2}."""
    net = seeded(**config).double()
    for parameter in net.parameters():
        parameter.data = torch.randint(-2, 3, parameter.shape, generator=rng).double()
    return net


@torch.no_grad()
def features(net: PaddedCNN, images: Tensor) -> Tensor:
    return net.features(images)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Class 0 only: all boxes lie in rows 3 to 13, so that 16 rows down are still inside."""
    return red_green("source", train=12, validation=2, test=2).train.images[::2].double()


@pytest.fixture
def moved(images: Tensor) -> Tensor:
    return torch.roll(images, 16, dims=2)


@by_padding
@given(side=st.integers(3, 48), kernel_size=st.integers(1, 4))
def test_map_sizes_are_those_of_the_real_modules(padding: str, side: int, kernel_size: int) -> None:
    config = PaddedCNNConfig(padding=padding, side=side, kernel_size=kernel_size, channels=(3, 1, 1, 1, 1))
    x, (first, *sizes) = torch.zeros(1, 3, side, side), config.map_sizes()
    assert first == side
    assert len(sizes) == 4
    assume(PADDINGS[padding].mode == "zeros" or min(sizes) > 2)  # else there is too little to reflect or to wrap
    for convolution, size in zip(PaddedCNN(config).convolutions, sizes, strict=True):
        if size == 0:
            with pytest.raises(RuntimeError, match="Kernel size"):
                convolution(x)
            return
        x = convolution(x)
        assert x.shape[2:] == (size, size)


@by_padding
def test_last_map_of_a_32_pixel_image_is_that_of_claim_c4(padding: str) -> None:
    assert PaddedCNNConfig(padding=padding).map_sizes()[-1] == {"valid": 2, "sconv": 4}.get(padding, 6)


@by_net
@by_padding
def test_a_seed_draws_the_sources_weights(net: str, padding: str) -> None:
    """Written out in the source's order: four convolutions, the last layer, and only then Net2's flatten layer."""
    torch.manual_seed(5)
    expected = [nn.Conv2d(c, d, 3, bias=False).weight for c, d in ((3, 32), (32, 32), (32, 64), (64, 64))]
    last = nn.Linear(64, 2)
    expected += [last.weight, last.bias]
    if net == "Net2":
        flatten = nn.Linear(64 * PaddedCNNConfig(padding=padding).map_sizes()[-1] ** 2, 64)
        expected += [flatten.weight, flatten.bias]
    actual = list(seeded(5, net=net, padding=padding).parameters())
    assert len(actual) == len(expected)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(actual, expected, strict=True))


def test_both_nets_have_one_last_layer_for_one_seed() -> None:
    one, two = (seeded(net=net).last for net in NETS)
    assert torch.equal(one.weight, two.weight)
    assert torch.equal(one.bias, two.bias)


@by_net
@by_padding
def test_logits_are_the_last_layer_on_the_features(net: str, padding: str, images: Tensor) -> None:
    model, before = seeded(net=net, padding=padding).double(), images.clone()
    with torch.no_grad():
        logits = model(images)
        expected = F.linear(model.features(images), model.last.weight, model.last.bias)
    assert logits.shape == (len(images), 2)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)
    assert torch.equal(images, before)


@torch.no_grad()
def test_net_is_four_strided_convolutions_each_with_relu(images: Tensor, rng: torch.Generator) -> None:
    one, two = (whole_numbers(rng, net=net, padding="sconv") for net in NETS)
    for net in (one, two):
        x = images
        for convolution, stride in zip(net.convolutions, (1, 2, 2, 2), strict=True):
            x = F.conv2d(x, convolution.weight, stride=stride, padding=1).clamp(min=0)
        assert torch.equal(net.maps(images), x)
        pooled = x.flatten(2).max(dim=2).values if net is one else x.flatten(1) @ two.flatten.weight.T + two.flatten.bias
        assert torch.equal(net.features(images), pooled)


@torch.no_grad()
def test_full_padding_is_no_padding_on_the_image_with_16_black_pixels_around(images: Tensor, rng: torch.Generator) -> None:
    """Each layer's 2 pixels times the strides before it: 2 + 2 + 4 + 8 = 16. Bias-free layers leave black black."""
    full = whole_numbers(rng, padding="fconv")
    valid = PaddedCNN(PaddedCNNConfig(padding="valid", side=64)).double()
    valid.load_state_dict(full.state_dict())
    with_margin = F.pad(images, [16] * 4)
    assert full.maps(images).any()
    assert torch.equal(full.maps(images), valid.maps(with_margin))
    assert torch.equal(full(images), valid(with_margin))


@pytest.mark.parametrize("rows", [8, 16])
def test_pooled_full_padding_ignores_shifts_by_its_strides_product(rows: int, images: Tensor, rng: torch.Generator) -> None:
    net = whole_numbers(rng, padding="fconv")
    assert torch.equal(features(net, images), features(net, torch.roll(images, rows, dims=2)))


@pytest.mark.parametrize("padding", ["valid", "sconv", "replicate", "reflect", "circular"])
def test_pooled_features_under_every_other_padding_see_the_shift(padding: str, rng: torch.Generator) -> None:
    """The box lies in the corner: replicate and circular overlook the shift of about half of the boxes that touch no border."""
    net, image = whole_numbers(rng, padding=padding), torch.zeros(1, 3, 32, 32, dtype=torch.float64)
    image[:, 0, :4, :4] = 1
    inside = torch.roll(image, (16, 16), dims=(2, 3))
    assert not torch.equal(features(net, image), features(net, inside))


@by_padding
def test_flattened_features_see_the_shift(padding: str, images: Tensor, moved: Tensor, rng: torch.Generator) -> None:
    net = whole_numbers(rng, net="Net2", padding=padding)
    assert (features(net, images) != features(net, moved)).any(dim=1).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"net": "Net9"}, "Net9"), ({"padding": "same"}, "'same'"), ({"strides": (1, 2)}, "2 strides")],
    ids=str,
)
def test_a_config_that_means_no_net_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PaddedCNNConfig(**wrong)
