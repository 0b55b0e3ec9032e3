"""Recipes changed from the command line: `--set key=value`, checked against the field's own type."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, get_type_hints

from erlangen.errors import ErlangenError


def parse_settings(settings: list[str]) -> dict[str, str]:
    """['a=1', 'b=x'] -> {'a': '1', 'b': 'x'}. Raises ErlangenError where an equals sign is missing."""
    pairs = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ErlangenError(f"--set {setting}: write key=value, as in --set seeds=3")
        pairs[key.strip()] = value.strip()
    return pairs


def override(recipe: Any, settings: Mapping[str, str]) -> Any:
    """`recipe` with some fields replaced by values given as text; tuples are written with commas.

    Raises ErlangenError for a key it lacks (with a suggestion) or a value outside the field's type and bounds.
    """
    from pydantic import TypeAdapter, ValidationError

    hints = get_type_hints(type(recipe), include_extras=True)
    known = [field.name for field in dataclasses.fields(recipe)]
    changes: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
            raise ErlangenError(f"--set {key}: this recipe has no such key; {hint}")
        current = getattr(recipe, key)
        value = [part.strip() for part in text.split(",") if part.strip()] if isinstance(current, tuple) else text
        try:
            changes[key] = TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            raise ErlangenError(f"--set {key}={text}: {error.errors()[0]['msg']}") from None
    try:
        return dataclasses.replace(recipe, **changes)
    except ValueError as error:
        raise ErlangenError(f"--set: {error}") from None
