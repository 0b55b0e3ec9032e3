"""The laws that are shipped for users' own symmetries: good ones pass, and for a broken one the law is named."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from support.images import filters, image, net
from support.records import attention, graph, numbered, points, series, text
from torch import Tensor

from erlangen.symmetries.channels import ChannelPermutation
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.intensity import Intensity
from erlangen.symmetries.point_rotation import PointRotation
from erlangen.symmetries.rotation import QuarterTurns
from erlangen.symmetries.subpixel import SubpixelTranslation
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.time_shift import TimeShift
from erlangen.symmetries.token_permutation import TokenPermutation
from erlangen.symmetries.translation import Translation
from erlangen.testing import check_symmetry

X = series(2, 30)


@dataclass(frozen=True)
class Shift(Symmetry):
    """A user's own symmetry of series (C, T), as it should be: the base of all that is broken below."""

    name: ClassVar[str] = "shift"
    unit: ClassVar[str] = "steps"

    def generators(self, x: Tensor) -> Sequence[int]:
        return (1,)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return [int(k) for k in 1 + rng.permutation(x.shape[1] - 1)[:n]]

    def act(self, x: Tensor, g: int) -> Tensor:
        return x.roll(g, 1)

    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor | None:
        return y.roll(g, 1) if y.ndim == 2 else y

    def size(self, g: int) -> float:
        return float(g)

    def label(self, g: int) -> str:
        return f"{g} steps"


def test_a_good_one_passes() -> None:
    check_symmetry(Shift(), X)
    check_symmetry(Shift(), X, identity=0, compose=lambda g, h: g + h, inverse=lambda g: -g, kept_by=lambda x: x.square())


class ByHand:
    """Not derived from Symmetry."""

    name = "by-hand"


@dataclass(frozen=True)
class WithAList(Shift):
    steps: list[int]  # type: ignore[misc]


class SlicedElements(Shift):
    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Any:
        return [np.array(k) for k in super().elements(x, n, rng)]


class Repeated(Shift):
    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return [int(k) for k in rng.integers(1, 3, n)]


class NoElements(Shift):
    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return ()


class Nothing(NoElements):
    def generators(self, x: Tensor) -> Sequence[int]:
        return ()


class TooMany(Shift):
    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return super().elements(x, n + 1, rng)


class OwnRandomNumbers(Shift):
    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return random.Random().sample(range(1, x.shape[1]), min(n, x.shape[1] - 1))


class AlwaysTheSame(Shift):
    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return range(1, x.shape[1])[:n]


class RandomGenerators(Shift):
    def generators(self, x: Tensor) -> Sequence[int]:
        return (random.Random().randrange(1, 2**30),)


class WithIdentity(Shift):
    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return [int(k) for k in rng.permutation(x.shape[1])[:n]]


class ForeignGenerator(Shift):
    """1 is a generator, but only even steps are drawn."""

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return [int(2 * k) for k in 1 + rng.permutation(x.shape[1] // 2 - 1)[:n]]


class InPlace(Shift):
    def act(self, x: Tensor, g: int) -> Tensor:
        return x.copy_(x.roll(g, 1))


class ReferenceInPlace(Shift):
    def reference(self, x: Tensor, g: int) -> Tensor:
        return x.sub_(x.mean())


class Jittered(Shift):
    def act(self, x: Tensor, g: int) -> Tensor:
        return x.roll(g, 1) + 0.1 * torch.randn(x.shape, dtype=x.dtype)


class ToNumPy(Shift):
    def act(self, x: Tensor, g: int) -> Any:
        return np.roll(x.numpy(), g, 1)


class InSingle(Shift):
    def act(self, x: Tensor, g: int) -> Tensor:
        return x.float().roll(g, 1)


class ThroughSingle(Shift):
    def act(self, x: Tensor, g: int) -> Tensor:
        return x.float().roll(g, 1).to(x.dtype)


class InfiniteBorder(Shift):
    def act(self, x: Tensor, g: int) -> Tensor:
        moved = x.roll(g, 1)
        moved[:, 0] = torch.inf
        return moved


class LongLabel(Shift):
    def label(self, g: int) -> str:
        return "a shift by " + "one and " * g


class TensorSize(Shift):
    def size(self, g: int) -> Any:
        return torch.tensor(g)


class NoSize(Shift):
    def size(self, g: int) -> None:
        return None


class LossyGenerator(Shift):
    def loss(self, x: Tensor, g: int) -> float:
        return 0.5


class NegativeLoss(Shift):
    def loss(self, x: Tensor, g: int) -> float:
        return -1.0


class Cut(Shift):
    """Loses a step, and takes outputs along as they are."""

    def act(self, x: Tensor, g: int) -> Tensor:
        return x.roll(g, 1)[:, 1:]

    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor:
        return y


class OutputInPlace(Shift):
    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor:
        return y.mul_(-1)


class OneSide(Shift):
    def align(self, y: Tensor, y_g: Tensor, g: int, x: Tensor) -> Any:
        return y


class OutputInDouble(Shift):
    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor:
        return y.double()


class FlatTangent(Shift):
    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        return (x.flatten(),)


class Raises(Shift):
    def act(self, x: Tensor, g: int) -> Tensor:
        return x.roll(g, 2)


class SweptTwice(Shift):
    def sweep(self, x: Tensor) -> Sequence[int]:
        return (1, 2, 1)


class SweptInPlace(Shift):
    def sweep(self, x: Tensor) -> Sequence[int]:
        return (1, 30)


class PerhapsOptional(Shift):
    def optional(self, g: int) -> Any:
        return None


class AllOptional(Shift):
    def optional(self, g: int) -> bool:
        return True


class LongScope(Shift):
    def scope(self, x: Tensor) -> str:
        return "shifts\nby steps"


BROKEN = {
    SweptTwice: "elements of its sweep are equal",
    SweptInPlace: r"an element of its sweep leaves the input as it is \(30 steps\)",
    PerhapsOptional: "optional must give True or False",
    AllOptional: "may refuse all of its elements",
    LongScope: "scope must be one line",
    ByHand: "is not derived from erlangen.symmetries.Symmetry",
    SlicedElements: "elements cannot be hashed",
    Repeated: "some of its elements are equal",
    NoElements: "has generators but no elements",
    Nothing: "has neither generators nor elements",
    TooMany: r"elements\(x, 0, rng\) gives 1",
    OwnRandomNumbers: "elements differ between two calls",
    AlwaysTheSame: "elements do not depend on the random numbers",
    RandomGenerators: "generators differ between two calls",
    WithIdentity: r"leaves the input as it is \(0 steps\)",
    ForeignGenerator: r"a generator is not among the 14 elements \(1 steps\)",
    InPlace: "act changes its input",
    ReferenceInPlace: "reference changes its input",
    Jittered: "act differs between two calls",
    ToNumPy: "act gives a ndarray for a Tensor",
    InSingle: r"act \(1 steps\) gives torch.float32 for torch.float64",
    ThroughSingle: "act rounds float64 to a lower precision",
    InfiniteBorder: "numbers that are not finite",
    LongLabel: "a label must be one line",
    TensorSize: "size must be a number of at least 0",
    NoSize: "size is None and unit 'steps'",
    LossyGenerator: "a generator loses 0.5",
    NegativeLoss: "loss must be a number of at least 0",
    Cut: r"shapes \(2, 30\) and \(2, 29\)",
    OutputInPlace: "changes the output that it is given",
    OneSide: "align must give two tensors or None",
    OutputInDouble: "the expected output is torch.float64 for an output of torch.float32",
    FlatTangent: r"a tangent has shape \(60,\)",
    Raises: "act raises IndexError: Dimension out of range",
}


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_what_is_broken_is_named_in_one_line(kind: type[Any]) -> None:
    with pytest.raises(AssertionError, match=BROKEN[kind]) as caught:
        check_symmetry(kind(), X.clone(), outputs=[torch.zeros(3, 30)])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{kind.name}: ")


def test_a_list_among_its_fields() -> None:
    with pytest.raises(AssertionError, match="cannot be hashed"):
        check_symmetry(WithAList([1]), X)


def test_what_raised_is_the_cause() -> None:
    with pytest.raises(AssertionError) as caught:
        check_symmetry(Raises(), X)
    assert isinstance(caught.value.__cause__, IndexError)


WRONG_LAWS: dict[str, tuple[dict[str, Any], str]] = {
    "identity": ({"identity": 1}, "the identity 1 changes the input"),
    "composition": ({"compose": lambda g, h: g - h}, r"g·\(h·x\) is not"),
    "order": ({"compose": lambda g, h: (g + h) % 29}, r"g·\(h·x\) is not"),
    "inverse": ({"inverse": lambda g: g}, "round trip"),
    "a model that breaks it": ({"kept_by": lambda x: x * torch.arange(30)}, "kept_by breaks it"),
    "a model that flips": ({"kept_by": lambda x: x.flip(1)}, "act_output or align does not agree with act"),
    "outputs of a strange shape": ({"kept_by": lambda x: x[:, None]}, "kept_by breaks it"),
}


@pytest.mark.parametrize("wrong", WRONG_LAWS)
def test_what_is_stated_is_checked(wrong: str) -> None:
    stated, words = WRONG_LAWS[wrong]
    with pytest.raises(AssertionError, match=words):
        check_symmetry(Shift(), X, **stated)


class FlippedOutput(Shift):
    """Acts on outputs of the right shape in the wrong direction: shapes alone do not tell."""

    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor:
        return y.roll(-g, 1) if y.ndim == 2 else y


def test_a_known_model_tells_the_direction_of_outputs() -> None:
    check_symmetry(FlippedOutput(), X)
    with pytest.raises(AssertionError, match="does not agree with act"):
        check_symmetry(FlippedOutput(), X, kept_by=lambda x: x.square())


def plus(g: Any, h: Any) -> Any:
    return tuple(a + b for a, b in zip(g, h, strict=True))


def minus(g: Any) -> Any:
    return tuple(-part for part in g)


def product(g: Any, h: Any) -> Any:
    return tuple(map(tuple, np.array(g) @ np.array(h)))


GROUPS: dict[str, tuple[Symmetry, Any, dict[str, Any]]] = {
    "translation": (
        Translation(),
        image(3, 8, 10),
        {"identity": (0, 0), "compose": plus, "inverse": minus, "kept_by": lambda x: net(x, filters())},
    ),
    "strided": (Translation(), image(3, 16, 16), {"kept_by": lambda x: net(x, filters(), stride=4)}),
    "subpixel": (SubpixelTranslation(), image(3, 8, 9), {"identity": (0.0, 0.0), "compose": plus, "inverse": minus}),
    "quarter turns": (
        QuarterTurns(),
        image(3, 8, 8),
        {
            "identity": 0,
            "compose": lambda g, h: g + h,
            "inverse": lambda g: 4 - g,
            "kept_by": lambda x: net(x, filters(turned=True), padding="zeros"),
        },
    ),
    "intensity": (
        Intensity(),
        image(3, 6, 6),
        {
            "identity": (1.0, 0.0),
            "compose": lambda g, h: (g[0] * h[0], g[0] * h[1] + g[1]),
            "inverse": lambda g: (1 / g[0], -g[1] / g[0]),
            "kept_by": lambda x: (x - x.mean()) / x.std(),
        },
    ),
    "channels": (
        ChannelPermutation(),
        image(4, 5, 5),
        {"compose": lambda g, h: tuple(h[k] for k in g), "inverse": lambda g: tuple(int(k) for k in np.argsort(g))},
    ),
    "time": (TimeShift(), X, {"identity": 0, "compose": lambda g, h: g + h, "inverse": lambda g: -g}),
    "rotation of points": (
        PointRotation("vector"),
        points(),
        {
            "compose": product,
            "inverse": lambda g: tuple(map(tuple, np.array(g).T)),
            "kept_by": lambda x: x * x.norm(dim=1)[:, None],
        },
    ),
    "tokens": (TokenPermutation(), text(), {"kept_by": attention}),
}


@pytest.mark.parametrize("case", GROUPS)
def test_groups_of_ours_act_as_groups(case: str) -> None:
    symmetry, x, stated = GROUPS[case]
    check_symmetry(symmetry, x, **stated)


def test_a_model_with_positions_does_not_keep_the_order_of_tokens() -> None:
    with pytest.raises(AssertionError, match="kept_by breaks it"):
        check_symmetry(TokenPermutation(), text(), kept_by=lambda x: numbered(attention(x)))


@dataclass(frozen=True)
class Reversed(Symmetry):
    """The other way round: a text's tokens, or a graph's nodes."""

    def generators(self, x: Any) -> Sequence[str]:
        return ("reversed",)

    def elements(self, x: Any, n: int, rng: np.random.Generator) -> Sequence[str]:
        return ("reversed",)[:n]

    def act(self, x: Any, g: str) -> Any:
        return x.relabel(torch.arange(len(x)).flip(0)) if isinstance(x, Graph) else replace(x, ids=x.ids.flip(0))


@pytest.mark.parametrize("x", [text(), graph()], ids=["text", "graph"])
def test_records_are_checked_like_tensors(x: Text | Graph) -> None:
    check_symmetry(Reversed(), x, inverse=lambda g: g)
    with pytest.raises(AssertionError, match="round trip"):
        check_symmetry(Cycled(), x, inverse=lambda g: g)
    with pytest.raises(AssertionError, match="Overwritten: act changes its input"):
        check_symmetry(Overwritten(), x)


class Cycled(Reversed):
    """Not its own inverse."""

    def act(self, x: Any, g: str) -> Any:
        order = torch.arange(len(x)).roll(1)
        return x.relabel(order) if isinstance(x, Graph) else replace(x, ids=x.ids.roll(1))


class Overwritten(Reversed):
    def act(self, x: Any, g: str) -> Any:
        part = x.x if isinstance(x, Graph) else x.ids
        part[:] = part.flip(0)
        return replace(x)
