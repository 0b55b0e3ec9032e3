"""A symmetry takes only the choices that it has: a misspelled border must not pass for one of them."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from erlangen import symmetries
from erlangen.symmetries import PointRotation, Reflection, Symmetry, TimeShift, Translation


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
        if get_origin(hints[field.name]) is Literal:
            for choice in get_args(hints[field.name]):
                assert getattr(kind(**{field.name: choice}), field.name) == choice
            with pytest.raises(ValueError, match=field.name):
                kind(**{field.name: "no such choice"})
