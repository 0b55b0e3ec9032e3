"""What every symmetry of images must keep to."""

from typing import Any

import numpy as np
import pytest
import torch
from support.images import image
from torch import Tensor

from erlangen.symmetries.channels import ChannelPermutation
from erlangen.symmetries.crop import CroppedTranslation
from erlangen.symmetries.intensity import Intensity
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.rotation import QuarterTurns, Rotation
from erlangen.symmetries.scale import Scale
from erlangen.symmetries.subpixel import SubpixelTranslation
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import Translation
from erlangen.testing import check_symmetry

EVERY = (
    Translation(),
    Translation("zeros"),
    CroppedTranslation(),
    SubpixelTranslation(),
    QuarterTurns(),
    Rotation(),
    Reflection(),
    Reflection("up-down"),
    Scale(),
    Intensity(),
    ChannelPermutation(),
)
SHAPES = ((3, 16, 16), (3, 9, 14), (4, 17, 11))
every = pytest.mark.parametrize("symmetry", EVERY, ids=lambda symmetry: symmetry.name)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def used(symmetry: Symmetry, x: Tensor, n: int = 12) -> list[Any]:
    """Generators and n elements."""
    return [*symmetry.generators(x), *symmetry.elements(x, n, np.random.default_rng(0))]


def test_names_differ() -> None:
    assert len({symmetry.name for symmetry in EVERY}) == len(EVERY)


@every
@shapes
def test_the_laws(symmetry: Symmetry, shape: tuple[int, ...]) -> None:
    check_symmetry(symmetry, image(*shape))


@every
@shapes
def test_every_element_moves_the_image(symmetry: Symmetry, shape: tuple[int, ...]) -> None:
    x = image(*shape)
    for g in used(symmetry, x, 60):
        moved, start = symmetry.act(x, g), symmetry.reference(x, g)
        assert moved.shape != start.shape or not torch.allclose(moved, start, atol=1e-4)


@every
@shapes
def test_the_image_stays_as_it_was(symmetry: Symmetry, shape: tuple[int, ...]) -> None:
    x = image(*shape)
    for g in used(symmetry, x):
        symmetry.act(x, g).add_(1)
        symmetry.align(x.mean((-2, -1)), x.mean((-2, -1)), g, x)
        symmetry.loss(x, g)
        symmetry.tangent(x)
        assert torch.equal(x, image(*shape))


@every
@pytest.mark.parametrize("precision", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_precision_and_device_are_kept(symmetry: Symmetry, precision: torch.dtype) -> None:
    x = image(3, 12, 12).to(precision)
    for g in used(symmetry, x):
        for made in (symmetry.act(x, g), symmetry.reference(x, g), *symmetry.tangent(x)):
            assert made.dtype == precision
            assert made.device == x.device
            assert made.isfinite().all()


@every
def test_double_precision_is_computed_in_double_precision(symmetry: Symmetry) -> None:
    """Where float32 slips in, an image and one a billionth away from it become the same."""
    x, nudge = image(3, 12, 12), 1e-9 * image(3, 12, 13)[..., 1:]
    for g in used(symmetry, x):
        change = symmetry.act(x + nudge, g) - symmetry.act(x, g)
        assert torch.allclose(change, symmetry.act(nudge, g) - (g[1] if isinstance(symmetry, Intensity) else 0), atol=1e-14)


@every
@shapes
def test_no_generator_loses_anything_that_its_reference_kept(symmetry: Symmetry, shape: tuple[int, ...]) -> None:
    x = image(*shape)
    if not isinstance(symmetry, SubpixelTranslation):  # its loss is the reference's too
        assert all(symmetry.loss(x, g) == 0 for g in symmetry.generators(x))


@every
def test_a_vector_is_invariant(symmetry: Symmetry) -> None:
    x, y = image(3, 16, 16), image(10)
    assert symmetry.fitted(x, y) == symmetry
    for g in used(symmetry, x):
        aligned = symmetry.align(y, y + 1, g, x)
        assert aligned is not None
        assert torch.equal(aligned[0], y)
        assert torch.equal(aligned[1], y + 1)


@every
def test_an_output_of_another_kind_has_no_action(symmetry: Symmetry) -> None:
    x, y = image(3, 16, 16), image(9, 14, 300)
    if isinstance(symmetry, (Intensity, ChannelPermutation)):
        return  # they move nothing: any output should stay
    assert symmetry.fitted(x, y) == symmetry
    assert all(symmetry.align(y, y, g, x) is None for g in used(symmetry, x))


@every
def test_labels_differ(symmetry: Symmetry) -> None:
    elements = symmetry.elements(image(3, 16, 16), 5, np.random.default_rng(0))
    assert len({symmetry.label(g) for g in elements}) == len(elements)


@every
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 2), (2, 1, 5), (1, 3, 2)], ids=str)
def test_tiny_and_constant_images_raise_nothing(symmetry: Symmetry, shape: tuple[int, ...]) -> None:
    for x in (image(*shape), torch.zeros(shape)):
        for g in used(symmetry, x):
            assert symmetry.act(x, g).isfinite().all()
            assert symmetry.reference(x, g).isfinite().all()
            assert np.isfinite(symmetry.loss(x, g))
        assert all(tangent.isfinite().all() for tangent in symmetry.tangent(x))
