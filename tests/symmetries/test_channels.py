"""Orders of channels."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from support.images import error, filters, image, net

from erlangen.symmetries.channels import ChannelPermutation

CHANNELS = ChannelPermutation()


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_orders_compose_and_come_back(g: list[int], h: list[int]) -> None:
    x = image(4, 2, 3)
    after = CHANNELS.act(CHANNELS.act(x, tuple(h)), tuple(g))
    assert torch.equal(after, CHANNELS.act(x, tuple(h[k] for k in g)))
    assert torch.equal(CHANNELS.act(CHANNELS.act(x, tuple(g)), tuple(np.argsort(g))), x)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_generators_make_up_every_order(channels: int) -> None:
    x = torch.arange(float(channels)).view(channels, 1, 1)
    found = {tuple(x.flatten().tolist()): x}
    while True:
        made = [CHANNELS.act(known, g) for known in found.values() for g in CHANNELS.generators(x)]
        new = {tuple(one.flatten().tolist()): one for one in made}
        if new.keys() <= found.keys():
            break
        found |= new
    everything = CHANNELS.elements(x, 100, np.random.default_rng(0))
    assert len(found) == len(everything) + 1 == {2: 2, 3: 6, 4: 24}[channels]


def test_one_channel_has_nothing_to_swap() -> None:
    assert not CHANNELS.generators(torch.zeros(1, 4, 4))
    assert not CHANNELS.elements(torch.zeros(1, 4, 4), 5, np.random.default_rng(0))


def test_many_channels_are_drawn_without_counting_all_orders() -> None:
    assert len(CHANNELS.elements(torch.zeros(200, 1, 1), 5, np.random.default_rng(0))) == 5


def test_a_net_of_the_gray_image_is_invariant_and_one_of_the_colors_is_not() -> None:
    x, alike = image(3, 8, 8), filters().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    for g in CHANNELS.elements(x, 5, np.random.default_rng(0)):
        assert error(CHANNELS, lambda x: net(x, alike), x, g) == pytest.approx(0, abs=1e-12)
        assert (error(CHANNELS, lambda x: net(x, filters()), x, g) or 0) > 0.1
