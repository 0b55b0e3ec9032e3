"""How outputs are read where their shape does not say: as declared, or as they turn out to move."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from auditing.oracles.geometry import CASES
from support.images import filters, image
from torch import Tensor
from torch.nn import functional

from erlangen.auditing.arrays import Arrays
from erlangen.auditing.model import Model
from erlangen.auditing.output_reading import MapAdapter, settled, with_maps
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.errors import ErlangenError
from erlangen.symmetries.layout import layout_of
from erlangen.symmetries.reading import OUTPUTS, Reading
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import Translation

SHIFT, FLIP = SymmetryCheck(Translation()), SymmetryCheck(Reflection())
IMAGES = [image(3, 16, 16) * (k + 1) + k for k in range(4)]


def circular(x: Tensor) -> Tensor:
    return functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="circular"), filters().to(x)).tanh()


def heads(x: Tensor) -> Tensor:
    """(B, 4, 10): four heads that know no places."""
    return circular(x).mean((2, 3))[..., None] * torch.linspace(-1, 1, 10, dtype=x.dtype)


def cornered(x: Tensor) -> Tensor:
    """(B, 4, 10), of a corner."""
    return x[:, :1, :4, :10].flatten(1, 2)


def lenet(x: Tensor) -> Tensor:
    """(B, 4, 4, 4), with a stride of 2 in sixteen pixels."""
    h = functional.avg_pool2d(functional.conv2d(x, filters(5)).tanh(), 2)
    return functional.conv2d(h, filters()[:, :1].expand(-1, 4, -1, -1).contiguous()).tanh()


def read(function: Callable[[Tensor], Tensor], check: SymmetryCheck = SHIFT, output: str | None = None, n: int = 4) -> Symmetry:
    model, inputs = Model(function=function, adapter=Arrays()), IMAGES[:n]
    model = with_maps(model, inputs, dict(enumerate(model(inputs))), [check], output)
    return settled(check, model, inputs, dict(enumerate(model(inputs))), output).symmetry


def test_heads_are_a_vector_and_a_map_is_a_map() -> None:
    assert str(read(heads).reading) == "output read as a vector"
    assert read(circular) == SHIFT.symmetry, "what is plain needs no words"
    assert str(read(lenet).reading) == "output read as a map with a stride of 2"


def test_nothing_is_taken_for_a_vector_that_moves_as_little_else() -> None:
    assert str(read(cornered).reading).startswith("output read as tokens")


def test_of_a_single_image_only_what_does_not_change_at_all_is_a_vector() -> None:
    assert str(read(heads, n=1).reading) == "output read as a vector"
    assert str(read(cornered, n=1).reading).startswith("output read as tokens")


def test_what_is_declared_is_not_tried() -> None:
    assert read(cornered, output="vector").reading.output == "vector"
    assert read(lenet, output="map").reading.stride == (2, 2)


def test_a_declared_map_is_brought_into_the_form_of_a_map() -> None:
    for form, shape in ((lambda y: y[:, 0], (1, 16, 16)), (lambda y: y.permute(0, 2, 3, 1), (4, 16, 16))):
        model = Model(function=lambda x, form=form: form(circular(x)), adapter=Arrays())
        outputs = dict(enumerate(model(IMAGES)))
        for output in (None, "pixels"):
            found = with_maps(model, IMAGES, outputs, [SHIFT], output)
            assert isinstance(found.adapter, MapAdapter)
            assert tuple(found(IMAGES)[0].shape) == shape
            assert torch.equal(torch.stack(found(IMAGES)), circular(torch.stack(IMAGES))[:, : shape[0]])


def test_a_map_stays_as_it_is() -> None:
    model = Model(function=circular, adapter=Arrays())
    assert with_maps(model, IMAGES, dict(enumerate(model(IMAGES))), [SHIFT, FLIP]) is model


def test_a_vector_costs_no_call() -> None:
    calls = []

    def pooled(x: Tensor) -> Tensor:
        calls.append(len(x))
        return circular(x).mean((2, 3))

    model = Model(function=pooled, adapter=Arrays())
    outputs = dict(enumerate(model(IMAGES)))
    calls.clear()
    assert with_maps(model, IMAGES, outputs, [SHIFT, FLIP]) is model
    assert settled(SHIFT, model, IMAGES, outputs) is SHIFT
    assert not calls


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("picture", "unknown kind of output 'picture'; choose vector, map, pixels, tokens, steps, boxes or keypoints"),
        ("map", r"an output of shape \(4, 10\) for an input of shape \(3, 16, 16\) cannot be read as map"),
        ("pixels", r"an output of shape \(4, 10\) .* cannot be read as pixels"),
    ],
)
def test_what_cannot_be_read_so_is_refused(output: str, words: str) -> None:
    with pytest.raises(ErlangenError, match=words):
        read(heads, output=output)


def test_the_scope_names_the_reading_and_the_shifts_asked() -> None:
    model = Model(function=lenet, adapter=Arrays())
    outputs = dict(enumerate(model(IMAGES)))
    found = settled(SHIFT, model, IMAGES, outputs)
    assert found.scope(IMAGES, outputs) == "only shifts by multiples of 2 px, output read as a map with a stride of 2"
    strided = {i: y[:, ::2, ::2] for i, y in enumerate(Model(function=circular, adapter=Arrays())(IMAGES))}
    assert SHIFT.scope(IMAGES, strided) == "only shifts by multiples of 2 px"
    assert FLIP.scope(IMAGES, strided) == ""


def test_the_strides_of_inner_layers_are_found_one_by_one() -> None:
    """16 -> 12 -> 6 -> 4: sixteen pixels in six cells are read as a stride of 3, but move as one of 2."""
    x = IMAGES[0]
    convolved = functional.conv2d(x[None], filters(5)).tanh()
    pooled = [functional.avg_pool2d(functional.conv2d(z[None], filters(5)).tanh(), 2)[0] for z in (x, x.roll(2, -1))]
    assert layout_of(convolved[0], x).stride == (1, 1)
    assert layout_of(pooled[0], x).stride == (3, 3)
    expected, actual = Translation().align(*pooled, (0, 2), x)
    assert torch.allclose(expected, actual, atol=1e-12)
    assert Translation(reading=Reading("map", (Fraction(3), Fraction(3)), (4, 6, 6))).align(*pooled, (0, 2), x) is None


def test_every_way_to_read_an_output_is_met_in_the_battery() -> None:
    assert len(CASES) >= 40
    assert set(OUTPUTS) == {"vector", "map", "pixels", "tokens", "steps"}
