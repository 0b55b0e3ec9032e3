"""What is typed for a model, its arguments and its inputs: parsed before anything is loaded. Imports no torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from erlangen.errors import ErlangenError

TORCHSCRIPT = (".pt", ".pth", ".ts", ".jit", ".torchscript")
MODEL_FILES = (".onnx", ".pt2", *TORCHSCRIPT)  # files that hold a whole model: ONNX, programs of torch.export, TorchScript


class Target(NamedTuple):
    """The file or module of a model, the name in it ('' for a file that holds a whole model), and arguments for that name."""

    place: str
    name: str
    arguments: dict[str, Any]


def parse_target(target: str) -> Target:
    """`FILE.py:build`, `FILE.py:build(width=8)`, `package.module:build`, `FILE.onnx`, `FILE.pt2` or `FILE.pt`.

    Raises ErlangenError for anything else.
    """
    if target.endswith(MODEL_FILES):
        return Target(target, "", {})
    matched = re.fullmatch(r"(?P<place>.+?):(?P<name>[\w.]+)(?P<call>\(.*)?", target, re.DOTALL)
    if matched is None:
        raise ErlangenError(f"{target}: name the function that builds the model, as FILE.py:build or package.module:build")
    call = matched["call"]
    return Target(matched["place"], matched["name"], {} if call is None else parse_call(target, call))


def parse_call(target: str, call: str) -> dict[str, Any]:
    """{'width': 8} for '(width=8)'. Raises ErlangenError unless all arguments are plain values, given by name."""
    try:
        parsed = ast.parse(f"f{call}", mode="eval").body
        names = [entry.arg for entry in parsed.keywords] if isinstance(parsed, ast.Call) and not parsed.args else [None]
        if None not in names:
            return {str(entry.arg): ast.literal_eval(entry.value) for entry in parsed.keywords}  # type: ignore[attr-defined]
    except (SyntaxError, ValueError):
        pass
    raise ErlangenError(f"{target}: give the builder's arguments by name, as plain values: FILE.py:build(width=8)")


def parse_assignments(option: str, texts: Iterable[str]) -> dict[str, Any]:
    """{'width': 8, 'deep': True, 'norm': 'batch'} for ['width=8', 'deep=true', 'norm=batch'].

    A value is a Python literal, true, false or none; anything else is text. Raises ErlangenError for a text without '='.
    """
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ErlangenError(f"{option} {text}: give a name and a value, as in {option} name=1")
        values[name] = parse_value(value)
    return values


def parse_value(text: str) -> Any:
    """A Python literal, or the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def parse_shape(text: str) -> tuple[int, ...]:
    """(3, 32, 32) for '3x32x32' or '3,32,32'."""
    if re.fullmatch(r"[0-9]+([x,][0-9]+)*", text) is None:
        raise ErlangenError(f"--input {text} is neither a file nor a folder, nor a shape like 3x224x224")
    return tuple(int(size) for size in re.split("[x,]", text))
