"""A symmetry takes only the choices that it has: a misspelled border must not pass for one of them."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from erlangen import symmetries
from erlangen.symmetries import (
    CroppedTranslation,
    Intensity,
    LeftPadding,
    PointRotation,
    PositionShift,
    PrefixShift,
    Reflection,
    Scale,
    Symmetry,
    TimeShift,
    Translation,
)
from erlangen.symmetries.boxes import Boxes


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Translation, "Translation: border must be 'circular' or 'zeros', not 'wrap'"),
        (TimeShift, "TimeShift: border must be 'circular' or 'zeros', not 'wrap'"),
        (PointRotation, "PointRotation: output must be 'scalar' or 'vector', not 'wrap'"),
        (Reflection, "Reflection: sides must be 'left-right' or 'up-down', not 'wrap'"),
    ],
)
def test_another_choice_is_refused_in_one_line(kind: type, words: str):
    with pytest.raises(ValueError, match=f"^{words}$"):
        kind("wrap")


def public_symmetries() -> list[type]:
    offered = [getattr(symmetries, name) for name in symmetries.__all__]
    return [kind for kind in offered if isinstance(kind, type) and issubclass(kind, Symmetry) and dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", public_symmetries(), ids=lambda kind: kind.__name__)
def test_every_choice_is_taken_and_no_other(kind: type):
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        options = hints[field.name]
        literal = next(
            (part for part in (options, *get_args(options)) if get_origin(part) is Literal), None
        )  # of `X | None`, too
        if literal is not None:
            for choice in get_args(literal):
                assert getattr(kind(**{field.name: choice}), field.name) == choice
            with pytest.raises(ValueError, match=field.name):
                kind(**{field.name: "no such choice"})


def test_a_misspelled_choice_comes_with_a_suggestion():
    with pytest.raises(ValueError, match=r"not 'circlar'; did you mean 'circular'\?"):
        Translation("circlar")
    with pytest.raises(ValueError, match=r"Boxes: format must be 'xyxy' or .*; did you mean 'xywh'\?"):
        Boxes("xyhw")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Translation(stride=(0, 1)), lambda: TimeShift(stride=0), lambda: CroppedTranslation(stride=(1, -1)),
        lambda: CroppedTranslation((0, 4)), lambda: Scale(1.0), lambda: Scale(float("nan")), lambda: Intensity(contrast=0.5),
        lambda: Intensity(brightness=-1), lambda: LeftPadding(longest=0), lambda: PrefixShift(0), lambda: PositionShift(0),
    ],
)  # fmt: skip
def test_numbers_that_leave_no_elements_are_refused(make):
    with pytest.raises(ValueError, match=r"^\w+: \w+ must be at least [\d.]+, not "):
        make()
