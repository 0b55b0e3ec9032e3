"""Mirror images, of pictures, maps and tokens."""

from collections.abc import Callable

import pytest
import torch
from support.images import error, filters, image, net, tokens
from torch import Tensor

from erlangen.symmetries.reflection import Reflection, Sides

sides = pytest.mark.parametrize("side", ["left-right", "up-down"])


@sides
def test_twice_is_the_identity(side: Sides) -> None:
    x = image(3, 5, 8)
    symmetry = Reflection(side)
    assert torch.equal(symmetry.act(symmetry.act(x, side), side), x)


def test_sides_are_the_sides_they_say() -> None:
    x = torch.tensor([[[1, 2], [3, 4]]])
    assert Reflection().act(x, "left-right").tolist() == [[[2, 1], [4, 3]]]
    assert Reflection().act(x, "up-down").tolist() == [[[3, 4], [1, 2]]]


SYMMETRIC = filters() + filters().flip(-1) + filters().flip(-2) + filters().flip(-1, -2)


@sides
@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 6, 10)], ids=str)
@pytest.mark.parametrize("padding", ["circular", "zeros"])
@pytest.mark.parametrize("form", [tokens, lambda y: y], ids=["tokens", "map"])
def test_a_net_without_sides_commutes_and_one_with_a_side_does_not(
    side: Sides, shape: tuple[int, ...], padding: str, form: Callable[[Tensor], Tensor]
) -> None:
    x, symmetry = image(*shape), Reflection(side)
    assert error(symmetry, lambda x: form(net(x, filters(1), padding=padding)), x, side) == pytest.approx(0, abs=1e-12)
    assert error(symmetry, lambda x: form(net(x, SYMMETRIC, padding=padding)), x, side) == pytest.approx(0, abs=1e-12)
    assert (error(symmetry, lambda x: form(net(x, filters(), padding=padding)), x, side) or 0) > 0.1
