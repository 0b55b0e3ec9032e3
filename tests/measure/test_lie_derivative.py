"""Laws of the Lie derivative, and the three definitions of others on shared toys."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import erlangen
from erlangen.auditing.adapt import adapt
from erlangen.auditing.domain import load_domain
from erlangen.auditing.inputs import generated
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.measure.lie_derivative import lie_derivative, local_equivariance_error
from erlangen.symmetries import spectrum
from erlangen.symmetries.point_rotation import PointRotation
from erlangen.symmetries.translation import Translation

SHIFT = Translation("circular")


def smooth_images(n: int = 6) -> torch.Tensor:
    return torch.stack(generated("images", (3, 16, 16), n, seed=1)).double()


def net(padding: str) -> nn.Module:
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 8, 3, padding=1, padding_mode=padding),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    return nn.Sequential(*layers).double().eval()


def tangents(x: torch.Tensor) -> list[torch.Tensor]:
    return [torch.stack(column) for column in zip(*(SHIFT.tangent(image) for image in x), strict=True)]


def test_circular_pooled_net_has_none_beyond_aliasing_and_zero_padding_has_much() -> None:
    x = smooth_images()
    kept, lost = (lie_derivative(net(padding), x, tangents(x)[0]).square().mean().sqrt() for padding in ("circular", "zeros"))
    assert kept < 1e-2 * lost  # tanh makes waves that the pixels cannot tell apart: a real error, and small


def test_equals_a_finite_difference_of_exact_subpixel_shifts() -> None:
    x, f, t = smooth_images(), net("zeros"), 1e-4
    for axis, v in enumerate(tangents(x)):
        step = (t, 0.0) if axis == 0 else (0.0, t)
        back = (-step[0], -step[1])
        difference = (f(spectrum.shifted(x, step)) - f(spectrum.shifted(x, back))) / (2 * t)
        torch.testing.assert_close(lie_derivative(f, x, v), difference, rtol=1e-5, atol=1e-9)


def test_a_map_that_moves_along_is_equivariant() -> None:
    x = smooth_images()
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular").double()
    down = lambda y: -spectrum.gradient(y)[0]  # noqa: E731
    assert lie_derivative(conv, x, tangents(x)[0], down).abs().max() < 1e-12
    assert lie_derivative(conv, x, tangents(x)[0]).abs().max() > 0.05


def test_attention_has_one_too() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True).double().eval()
    x, v = torch.randn(2, 5, 8, dtype=torch.float64), torch.randn(2, 5, 8, dtype=torch.float64)
    difference = (layer(x + 1e-6 * v) - layer(x - 1e-6 * v)) / 2e-6
    torch.testing.assert_close(lie_derivative(layer, x, v), difference, rtol=1e-5, atol=1e-7)


def test_local_equivariance_error_as_lie_deriv_defines_it() -> None:
    """LEE(x) = ‖L f(x)‖² / dim V (Gruver et al., ICLR 2023, eq. 4; github.com/ngruver/lie-deriv takes the product by two backward
    passes, as here, beside our one forward-mode product)."""
    x, f = smooth_images(), net("zeros")
    t = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def moved(t: torch.Tensor) -> torch.Tensor:
        waves = torch.fft.fft(x, dim=-2)
        angle = torch.fft.fftfreq(16, dtype=torch.float64) * 16
        angle[8] = 0  # Nyquist's has no direction
        phase = torch.exp(-2j * math.pi * angle[:, None] * t / 16)
        kept = (torch.arange(16) != 8).double()[:, None]
        return f(torch.fft.ifft(waves * phase * kept, dim=-2).real)

    y = moved(t)
    v = torch.ones_like(y, requires_grad=True)
    (back,) = torch.autograd.grad(y, t, v, create_graph=True)
    (derivative,) = torch.autograd.grad(back.sum(), v)
    x_kept = spectrum.shifted(x, (0.0, 0.0))
    ours = local_equivariance_error(lie_derivative(f, x_kept, tangents(x_kept)[0]))
    torch.testing.assert_close(ours, derivative.square().mean(1), rtol=1e-6, atol=1e-15)


def test_equivariance_error_as_e3nn_defines_it() -> None:
    """max |f(g·x) - g·f(x)| over entries and trials (e3nn.util.test.equivariance_error, docs.e3nn.org)."""
    clouds = [cloud.double() for cloud in generated("points", (7, 3), 3)]
    weight = torch.linspace(0.5, 1.5, 3, dtype=torch.float64)

    def f(x: torch.Tensor) -> torch.Tensor:
        return weight * (x - x.mean(1, keepdim=True))  # not equivariant: each axis has its own weight

    symmetry = PointRotation(output="vector")
    model, rng = adapt(f, clouds, load_domain("points")), np.random.default_rng(0)
    outputs = dict(enumerate(model(clouds)))
    check = SymmetryCheck(symmetry)
    elements = check.draw(model, clouds, outputs, range(3), 5, rng)
    ours = max(float((pair.actual - pair.expected).abs().max()) for pair in check.pairs(model, clouds, outputs, elements))
    theirs = max(
        float((f(symmetry.act(x, g)[None]) - symmetry.act(f(x[None])[0], g)).abs().max())
        for x, drawn in zip(clouds, elements.values(), strict=True)
        for g in drawn
    )
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert ours > 0.1


def test_shift_consistency_as_zhang_defines_it() -> None:
    """E over images and two shifts of [argmax f(shift₁ x) = argmax f(shift₂ x)] (Zhang, "Making Convolutional Networks
    Shift-Invariant Again", ICML 2019, sec. 4.2): with circular shifts and all shifts of an image as inputs, 1 - our flips."""
    torch.manual_seed(3)
    f = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 4, 3)).eval()
    image = torch.randn(1, 6, 6)
    shifts = [(a, b) for a in range(6) for b in range(6)]
    inputs = [torch.roll(image, shift, (-2, -1)) for shift in shifts]
    with torch.no_grad():
        classes = f(torch.stack(inputs)).argmax(1)
    pairs = classes[:, None] == classes[None]  # all ordered pairs of shifts
    consistency = (int(pairs.sum()) - 36) / (36 * 35)  # of different shifts
    found = erlangen.audit(f, inputs, [AllShifts()], elements=35)
    flips = found.checks[-1].flips
    assert flips is not None
    assert flips.pairs == 36 * 35
    assert 1 - flips.rate == pytest.approx(consistency, abs=1e-12)
    assert 0.05 < flips.rate < 0.95


class AllShifts(Translation):
    """Every shift but none, each once."""

    def elements(self, x: torch.Tensor, n: int, rng: np.random.Generator) -> list[tuple[int, int]]:
        return [(a, b) for a in range(6) for b in range(6) if (a, b) != (0, 0)]
