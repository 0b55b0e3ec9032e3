"""The keys of a recipe, as `--set` takes them: type and bounds, the presets' values, and what the Recipe's docstring says."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

COMMON = {  # of keys that mean the same in every recipe, where its docstring does not explain them
    "seeds": "Number of random seeds; each gives an independent repetition.",
    "epochs": "Passes over the training data, at most.",
    "patience": "Epochs without improvement after which training stops.",
    "lr": "Learning rate.",
    "batch": "Examples per update.",
    "width": "Features per hidden layer.",
    "layers": "Number of layers.",
    "heads": "Attention heads per layer.",
    "dropout": "Dropout probability during training.",
    "train": "Number of training examples.",
    "validation": "Number of validation examples.",
    "test": "Number of test examples.",
}
NAMES = {int: "integer", float: "number", str: "text", bool: "true or false"}


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a recipe. kind: its type and bounds in words; values: preset -> value."""

    name: str
    kind: str
    values: Mapping[str, Any]
    explanation: str


def recipe_keys(presets: Mapping[str, Any]) -> list[Key]:
    """The keys that the presets' recipes have, in order."""
    kind = type(next(iter(presets.values())))
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind)]
    explained = {**COMMON, **explanations(kind.__doc__ or "", names)}
    keys = []
    for name in names:
        values = {preset: getattr(recipe, name) for preset, recipe in presets.items()}
        keys.append(Key(name, in_words(hints[name]), values, capitalized(explained.get(name, ""), values)))
    return keys


def explanations(docstring: str, names: list[str]) -> dict[str, str]:
    """`lr: the learning rate. width, depth: of the net` -> what stands behind each name, or behind several."""
    text = " ".join(docstring.split())
    name = f"(?:{'|'.join(map(re.escape, names))})"
    found = list(re.finditer(rf"(?<![\w`])({name}(?:, {name})*): ", text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    texts = {match[1]: text[match.end() : end].strip(" ;") for match, end in zip(found, ends, strict=True)}
    return {name: said.rstrip(".") + "." for listed, said in texts.items() for name in listed.split(", ")}


def capitalized(text: str, values: Mapping[str, Any]) -> str:
    """The text with a capital, unless it begins with a value of the key, which has to be typed as it stands."""
    typed = {str(entry) for value in values.values() for entry in (value if isinstance(value, tuple) else (value,))}
    return text if re.split(r"\W", text)[0] in typed else text[:1].upper() + text[1:]


def in_words(hint: Any) -> str:
    """A field's type: 'integer from 1 to 1000', 'one of blocks, cora', 'list (number from 0 to 0.5)'."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return in_words(arguments[0]) + bounds(arguments[1:])
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"list ({in_words(arguments[0])})"
    if origin in (Union, UnionType):
        return " or ".join(in_words(argument) for argument in arguments if argument is not NoneType)
    return NAMES.get(hint, getattr(hint, "__name__", str(hint)))


def bounds(constraints: Sequence[Any]) -> str:
    """' from 1 to 1000', ' at least 1'; '' where there are none."""
    ends = {name: getattr(entry, name) for entry in constraints for name in ("ge", "gt", "le", "lt") if hasattr(entry, name)}
    if {"ge", "le"} <= ends.keys():
        return f" from {ends['ge']} to {ends['le']}"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return "".join(f" {words[name]} {end}" for name, end in ends.items())


def in_text(value: Any) -> str:
    """A value, as text that lines can be broken in."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value) or "empty"
