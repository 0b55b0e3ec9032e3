"""How readings are tried: which one wins, by how much it must, and when none does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from auditing.test_output_reading import FLIP, IMAGES, SHIFT, circular, read
from torch import Tensor
from torch.nn import functional

from erlangen.auditing.arrays import Arrays
from erlangen.auditing.domain import load_domain
from erlangen.auditing.model import Model
from erlangen.auditing.output_reading import MapAdapter, likeliest, settled, with_maps
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.trials import spread_of, trial_elements, trial_error
from erlangen.symmetries.point_permutation import PointPermutation
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.time_shift import TimeShift
from erlangen.symmetries.translation import Translation

FEW = [0, 1, 2, 3]
CLOUDS = list(torch.randn(6, 9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))


def sixteen(x: Tensor) -> Tensor:
    """(B, 16, 16, 16), which moves along with x."""
    weight = torch.randn(16, 3, 3, 3, generator=torch.Generator().manual_seed(1)).to(x)
    return functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="circular"), weight).tanh()


def scrambled(x: Tensor) -> Tensor:
    """(B, 16, 16, 16), which moves as nothing: a sign for each place."""
    return sixteen(x) * torch.randn(16, 16, 16, generator=torch.Generator().manual_seed(2)).to(x).sign()


def pooled(x: Tensor) -> Tensor:
    return sixteen(x).mean((2, 3))


def with_map_adapter(function: Callable[[Tensor], Tensor], *checks: SymmetryCheck) -> bool:
    model = Model(function=function, adapter=Arrays())
    return isinstance(with_maps(model, IMAGES, dict(enumerate(model(IMAGES))), checks).adapter, MapAdapter)


def error(symmetry: Translation | Reflection, function: Callable[[Tensor], Tensor], n: int = 4) -> float:
    model = Model(function=function, adapter=Arrays())
    return trial_error(symmetry, model, IMAGES[:n], dict(enumerate(model(IMAGES[:n]))), FEW[:n])


@pytest.mark.parametrize(
    ("function", "is_flat"),
    [
        (sixteen, False),  # a map is likelier than pixels, and it is one
        (lambda x: sixteen(x).permute(0, 2, 3, 1), True),  # a map is likelier, but pixels move along
        (scrambled, False),
        (lambda x: scrambled(x)[:, :4].permute(0, 2, 3, 1), True),  # pixels are likelier, and a map is no better
        (
            lambda x: sixteen(x).unflatten(3, (4, 4)).mean(4),
            False,
        ),  # (B, 16, 16, 4) could be pixels, but is a map of 16 × 4 cells
    ],
    ids=["map", "pixels", "neither", "neither, likely pixels", "map, likely pixels"],
)
def test_pixels_are_what_moves_as_pixels(function: Callable[[Tensor], Tensor], is_flat: bool) -> None:
    assert with_map_adapter(function, SHIFT) == is_flat
    assert with_map_adapter(function, SHIFT, FLIP) == is_flat


def test_a_constant_first_image_does_not_hide_how_outputs_move() -> None:
    pixels = lambda x: sixteen(x).permute(0, 2, 3, 1)  # noqa: E731
    inputs = [torch.zeros_like(IMAGES[0]), *IMAGES]
    model = Model(function=pixels, adapter=Arrays())
    found = with_maps(model, inputs, dict(enumerate(model(inputs))), [SHIFT])
    assert isinstance(found.adapter, MapAdapter)


def test_rows_of_a_series_are_steps() -> None:
    waves = list(torch.randn(4, 2, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    for function, is_flat in ((lambda x: x.tanh().mT, True), (lambda x: x.tanh(), False)):
        model = Model(function=function, adapter=Arrays())
        found = with_maps(model, waves, dict(enumerate(model(waves))), [SymmetryCheck(TimeShift())])
        assert isinstance(found.adapter, MapAdapter) == is_flat
        assert found(waves)[0].shape == (2, 24)


def test_a_reading_that_is_hardly_better_is_not_taken() -> None:
    """The error of steps along the height is 0.7 of that of tokens on a grid, which are likelier."""

    def rows(x: Tensor, noise: float) -> Tensor:
        return sixteen(x)[:, :6].mean(3).movedim(1, 2) + noise * scrambled(x)[:, 0, :, :6]  # (B, 16, 6)

    function = lambda x: rows(x, 2.2)  # noqa: E731
    model = Model(function=function, adapter=Arrays())
    outputs = dict(enumerate(model(IMAGES)))
    options = {str(option.reading): option for option in Translation().readings(IMAGES[0], outputs[0])}
    tokens = options["output read as tokens with a stride of 4"]
    steps = options["output read as steps along the height with a stride of 1"]
    errors = [trial_error(option, model, IMAGES, outputs, FEW) for option in (tokens, steps)]
    assert 0.5 * errors[0] < errors[1] < 0.95 * errors[0]
    assert likeliest(Translation(), [tokens, steps], model, IMAGES, outputs, FEW) == tokens
    assert read(function).reading.output == "tokens"
    assert read(lambda x: rows(x, 0.05)).reading.along == "height"


def test_outputs_of_many_axes_are_vectors_if_they_do_not_change() -> None:
    cube = lambda x: pooled(x)[:, :8].view(-1, 2, 2, 1, 2)  # noqa: E731
    assert str(read(cube).reading) == "output read as a vector"
    corner = lambda x: x[:, :1, :2, :4].reshape(-1, 2, 2, 1, 2)  # noqa: E731
    assert read(corner) == SHIFT.symmetry, "a large error is no sign of a vector"


def test_a_single_row_is_a_vector_and_named() -> None:
    assert str(read(lambda x: pooled(x)[:, None, :6]).reading) == "output read as a vector"


@pytest.mark.parametrize("along", ["width", "height"])
def test_declared_steps_run_as_declared_even_if_others_move_better(along: str) -> None:
    steps = lambda x: sixteen(x)[:, :6].mean(2 if along == "height" else 3).movedim(1, 2)  # noqa: E731
    assert read(steps, output=f"steps:{along}").reading.along == along
    assert read(steps).reading.along == ("width" if along == "height" else "height")


def test_a_map_once_found_is_read_as_no_pixels() -> None:
    """Reflections move the rows of these maps, as they would move the columns of (h, w, K)."""
    symmetric = lambda x: (sixteen(x) + sixteen(x.flip(3)).flip(3)).mT  # noqa: E731
    model = Model(function=symmetric, adapter=Arrays())
    outputs = dict(enumerate(model(IMAGES)))
    assert settled(FLIP, model, IMAGES, outputs).symmetry.reading.output == "pixels"
    mapped = Model(function=lambda x: symmetric(x).permute(0, 2, 3, 1), adapter=MapAdapter(Arrays(), Reading("pixels")))
    found = settled(FLIP, mapped, IMAGES, dict(enumerate(mapped(IMAGES)))).symmetry
    assert found == FLIP.symmetry


def test_outputs_of_inner_layers_stay_as_they_are() -> None:
    adapter = MapAdapter(Arrays(), Reading("pixels", None, (16, 16, 4)))
    for shape, same in (((16, 16, 4), False), ((8, 16, 16), True), ((3, 40, 4), True)):
        y = torch.randn(2, *shape)
        assert torch.equal(adapter.split(y, IMAGES[:2])[1], y[1]) == same


def test_vectors_are_tried_with_random_elements_and_maps_with_generators() -> None:
    vector = Reading("vector")
    drawn = list(Translation(reading=vector).elements(IMAGES[0], 2, np.random.default_rng(0)))
    assert trial_elements(Translation(reading=vector), vector, IMAGES[0]) == drawn
    assert trial_elements(Translation(), None, IMAGES[0]) == list(Translation().generators(IMAGES[0]))[:2]


def test_the_spread_of_a_vector_is_over_inputs() -> None:
    outputs = [torch.tensor([0.0, 10.0]), torch.tensor([2.0, 12.0])]
    assert spread_of(outputs, Reading("vector")) == pytest.approx((1, 7.874), rel=1e-3)
    assert spread_of(outputs, None) == pytest.approx((5.099, 7.874), rel=1e-3)
    assert spread_of(outputs, Reading("map")) == spread_of(outputs, None)
    assert spread_of([torch.zeros(2), torch.ones(6)], Reading("vector"))[0] == pytest.approx(0.433, rel=1e-3)


def test_nothing_is_known_of_what_does_not_vary() -> None:
    assert error(Translation(), lambda x: circular(x) * 0 + 1) == math.inf
    assert error(Translation(), circular) < 1e-12
    assert 1 < error(Translation(), scrambled) < 2, "in units of the spread"
    single = Translation(reading=Reading("vector", None, (16,)))
    assert error(single, pooled, n=1) == 0
    assert error(single, lambda x: sixteen(x)[:, :, 3, 3], n=1) == math.inf


@dataclass(frozen=True)
class Picky(Symmetry):
    """Rolls columns; only by two does it act on outputs."""

    def generators(self, x: Tensor) -> tuple[int, ...]:
        return (1, 2)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> tuple[int, ...]:
        return (1, 2)[:n]

    def act(self, x: Tensor, g: int) -> Tensor:
        return x.roll(g, -1)

    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor | None:
        return y.roll(g, -1) if g == 2 else None


def test_an_element_that_does_not_act_is_no_error() -> None:
    model = Model(function=circular, adapter=Arrays())
    assert trial_error(Picky(), model, IMAGES, dict(enumerate(model(IMAGES))), FEW, limit=0.1) < 1e-12
    sized = lambda x: x[:, :, :, : 8 + 2 * int(x[0, 0, 0, 0] == IMAGES[0][0, 0, 0])]  # noqa: E731
    model = Model(function=sized, adapter=Arrays())
    assert trial_error(Picky(), model, IMAGES, dict(enumerate(model(IMAGES))), FEW) == math.inf, "outputs of another shape"


def points(function: Callable[[Tensor], Tensor], output: str | None = None) -> str:
    """How point-permutation reads what a function of clouds (B, 9, 3) returns."""
    model = Model(function=function, adapter=load_domain("points").adapter(function))
    check = SymmetryCheck(PointPermutation())
    return str(getattr(settled(check, model, CLOUDS, dict(enumerate(model(CLOUDS))), output).symmetry, "reading", None))


def test_rows_of_a_set_are_vectors_only_if_they_do_not_change_or_are_declared() -> None:
    transform = lambda x: x.mT @ x  # (B, 3, 3)  # noqa: E731
    first_rows = lambda x: x[:, :3]  # noqa: E731
    vector = "output read as a vector"
    assert points(transform) == points(transform, "vector") == vector
    assert points(first_rows) == "None", "points that were selected, perhaps"
    assert points(first_rows, "vector") == vector
    assert points(lambda x: x.tanh()) == "None", "a row for each point"
    assert points(transform, "tokens") == points(first_rows, "tokens") == "None"
