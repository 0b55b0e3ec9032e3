"""A preset's recipe with changes: `--set key=value` or `settings={...}`, checked against the type of the recipe's field."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, get_type_hints

from erlangen.errors import ErlangenError
from erlangen.experiments.kit.wording import listed
from erlangen.records.validation import describe_invalid

Settings: TypeAlias = Mapping[str, object] | Sequence[str]  # {"epochs": 5} or ["epochs=5"]


def choose_recipe(presets: Mapping[str, Any], preset: str, settings: Settings | None = None, seeds: int | None = None) -> Any:
    """The preset's recipe with `settings` and, where it is given, the number of seeds.

    Raises ErlangenError for a preset or key that there is not, with a suggestion, and for an impossible value.
    """
    if preset not in presets:
        raise ErlangenError(f"--preset {preset} is unknown: choose {listed(presets, 'or')}")
    changes = parse_settings(settings or [])
    if seeds is not None:
        if "seeds" in changes:
            raise ErlangenError(f"--seeds {seeds} and --set seeds={changes['seeds']}: give one of them")
        if not hasattr(presets[preset], "seeds"):
            raise ErlangenError(f"--seeds {seeds}: this recipe has no seeds; {keys_in_words(presets[preset])}")
        changes["seeds"] = str(seeds)
    return override(presets[preset], changes)


def parse_settings(settings: Settings) -> dict[str, str]:
    """['a=1', 'b=x,y'] or {'a': 1, 'b': ('x', 'y')} -> {'a': '1', 'b': 'x,y'}.

    Raises ErlangenError where an equals sign is missing or a key is given twice.
    """
    if isinstance(settings, Mapping):
        return {
            key: ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value) for key, value in settings.items()
        }
    pairs: dict[str, str] = {}
    for setting in [settings] if isinstance(settings, str) else settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals:
            raise ErlangenError(f"--set {setting}: write key=value, as in --set seeds=3")
        if key in pairs:
            raise ErlangenError(f"--set {key}: given twice, as {pairs[key]} and as {value}")
        pairs[key] = value
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
            hint = f"did you mean {close[0]!r}?" if close else keys_in_words(recipe)
            raise ErlangenError(f"--set {key}: this recipe has no such key; {hint}")
        current = getattr(recipe, key)
        value = [part.strip() for part in text.split(",") if part.strip()] if isinstance(current, tuple) else text
        try:
            changes[key] = TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            raise ErlangenError(f"--set {key}={text}: {key} {describe_invalid(error)}") from None
    try:
        return dataclasses.replace(recipe, **changes)
    except ValueError as error:
        raise ErlangenError(f"--set: {error}") from None


def keys_in_words(recipe: Any) -> str:
    """'its keys are epochs, seeds'"""
    return f"its keys are {', '.join(field.name for field in dataclasses.fields(recipe))}"
