"""Brightness and contrast."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from support.images import error, filters, image, net
from torch import Tensor

from erlangen.symmetries.intensity import Intensity

INTENSITY = Intensity()
gains = st.tuples(st.floats(0.2, 5), st.floats(-3, 3))


@given(gains, gains)
def test_maps_compose_and_come_back(g: tuple[float, float], h: tuple[float, float]) -> None:
    x = image(3, 4, 5)
    after = INTENSITY.act(INTENSITY.act(x, h), g)
    assert torch.allclose(after, INTENSITY.act(x, (g[0] * h[0], g[0] * h[1] + g[1])), atol=1e-12)
    assert torch.allclose(INTENSITY.act(INTENSITY.act(x, g), (1 / g[0], -g[1] / g[0])), x, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1, 255])
def test_brightness_is_in_units_of_the_image(scale: float) -> None:
    x = image(3, 8, 8) * scale
    drawn = INTENSITY.elements(x, 300, np.random.default_rng(0))
    spread = float(x.std(correction=0))
    assert max(abs(b) for _, b in drawn) == pytest.approx(0.5 * spread, rel=0.05)
    assert max(a for a, _ in drawn) == pytest.approx(1.5, rel=0.05)
    assert min(a for a, _ in drawn) == pytest.approx(1 / 1.5, rel=0.05)


def test_generators_change_one_thing_each() -> None:
    contrast, brightness = INTENSITY.generators(image(3, 8, 8))
    assert contrast[0] != 1
    assert contrast[1] == 0
    assert brightness[0] == 1
    assert brightness[1] != 0
    assert len(INTENSITY.generators(torch.zeros(3, 8, 8))) == 1  # black has no contrast


def test_a_net_of_normalized_images_is_invariant_maps_too_and_one_of_raw_images_is_not() -> None:
    x = image(3, 8, 8)

    def normalized(x: Tensor) -> Tensor:
        return net((x - x.mean()) / x.std(), filters())

    for g in [*INTENSITY.generators(x), *INTENSITY.elements(x, 8, np.random.default_rng(0))]:
        assert error(INTENSITY, normalized, x, g) == pytest.approx(0, abs=1e-12)
        assert (error(INTENSITY, lambda x: net(x, filters()), x, g) or 0) > 0.01


def test_a_label_reads_as_a_formula():
    assert INTENSITY.label((1.45, 0.452)) == "1.45·x + 0.452"
    assert INTENSITY.label((0.5, -0.25)) == "0.5·x - 0.25"
