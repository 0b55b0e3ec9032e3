"""Volumes that are made up, and the pictures that are shown of them."""

from __future__ import annotations

import torch

from erlangen.auditing.domains import images
from erlangen.auditing.domains.volumes import DOMAIN, pictures
from erlangen.auditing.inputs import generated


def test_fields_are_smooth_along_every_axis_and_have_mean_0_and_rms_1() -> None:
    fields = torch.stack(generated("volumes", (2, 12, 14, 16), 6))
    assert fields.shape == (6, 2, 12, 14, 16)
    assert float(fields.mean((2, 3, 4)).abs().max()) < 1e-6
    torch.testing.assert_close(fields.square().mean((2, 3, 4)).sqrt(), torch.ones(6, 2))
    for axis in (2, 3, 4):
        steps = fields.diff(dim=axis).square().mean().sqrt()
        assert 0.3 < float(steps) < 0.9  # of two independent numbers: 1.4


def test_the_picture_is_that_of_the_middle_slice() -> None:
    x = torch.zeros(1, 5, 4, 4)
    x[0, 2] = torch.rand(4, 4)
    assert pictures(x, x.flip(3)) == images.pictures(x[:, 2], x[:, 2].flip(2))
    assert DOMAIN.pictures is pictures
