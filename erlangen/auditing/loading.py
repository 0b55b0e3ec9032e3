"""A model from what is named on a command line."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from erlangen.auditing.calling import ModelError, describe_error, with_article
from erlangen.auditing.importing import import_module, remedy
from erlangen.auditing.targets import parse_target
from erlangen.errors import ErlangenError


def load_model(target: str, build: Mapping[str, Any] | None = None) -> tuple[Callable[..., Any], Any]:
    """The model that `FILE.py:name`, `module:name` or a file such as `FILE.onnx` names; and its inputs if a builder returns them.

    name is a function that returns the model or (model, inputs), a class of modules, or the model itself. build: arguments of
    that function or class, beside those in the target. Raises ErlangenError if the target names nothing or lacks arguments,
    ModelError if its code fails.
    """
    place, name, arguments = parse_target(target)
    if not name:
        return load_file(Path(place)), None
    value, arguments = find_object(place, name), {**arguments, **(build or {})}
    if (isinstance(value, nn.Module) or not callable(value)) and not arguments:
        built = value
    elif not arguments and required_arguments(value):
        if inspect.isclass(value):
            missing = ", ".join(required_arguments(value))
            raise ErlangenError(f"{target} needs {missing}: add --build {required_arguments(value)[0]}=VALUE")
        return as_model(value, target), None
    else:
        built = call_builder(value, target, arguments)
    if isinstance(built, tuple) and len(built) == 2:
        return built[0], built[1]
    if not callable(built) and not hasattr(built, "run"):
        load = "; load it into a module first" if isinstance(built, Mapping) else ""
        kind = with_article(type(built).__name__)
        raise ModelError(f"{target} returned {kind} instead of a torch module, a callable or (model, inputs){load}")
    return built, None


def load_file(path: Path) -> Any:
    """A whole model in a file: an ONNX session, an exported program, or a TorchScript module in the mode that it was saved in."""
    if path.suffix == ".pt2":
        from erlangen.auditing.exported import load_program

        return load_program(path)
    if path.suffix == ".onnx":
        from erlangen.auditing.onnx import load_session

        return load_session(path)
    try:
        return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ModelError(
            f"{path} is not TorchScript ({describe_error(error)[:120]}); for a file of weights, name a function that builds the "
            "model and loads them, as FILE.py:build"
        ) from None


def find_object(place: str, name: str) -> Any:
    """What has this name, dots included, in a file or module."""
    value: Any = import_module(place)
    for part in name.split("."):
        if not hasattr(value, part):
            names = [key for key, entry in vars(value).items() if callable(entry) and not key.startswith("_")]
            raise ErlangenError(f"{place} has no {name!r}; it has {', '.join(names[:12]) or 'nothing that can be called'}")
        value = getattr(value, part)
    return value


def call_builder(builder: Callable[..., Any], target: str, arguments: Mapping[str, Any]) -> Any:
    """What the builder returns. Raises ErlangenError if it does not take these arguments, ModelError if it raises."""
    try:
        inspect.signature(builder).bind(**arguments)
    except TypeError as error:
        names = ", ".join(inspect.signature(builder).parameters) or "none"
        raise ErlangenError(f"{target} cannot be called with {dict(arguments)}: {error}; its arguments are: {names}") from None
    except ValueError:  # it has no signature
        pass
    try:
        return builder(**arguments)
    except Exception as error:
        raise ModelError(f"{target} raised {describe_error(error)}{remedy(error)}") from error


def load_function(option: str, target: str) -> Any:
    """The function or class that an option names as `FILE.py:name`. Raises ErlangenError if there is none."""
    place, name, _ = parse_target(target)
    if not name:
        raise ErlangenError(f"{option} {target}: name a function, as FILE.py:function")
    return find_object(place, name)


def load_symmetry(target: str) -> Any:
    """A symmetry or check of the user's: the object that `FILE.py:name` names, or what its class makes without arguments."""
    value = load_function("--symmetry", target)
    made = call_builder(value, target, parse_target(target).arguments) if inspect.isclass(value) else value
    if not hasattr(made, "name") or not (hasattr(made, "act") or hasattr(made, "pairs")):
        kind = with_article(type(made).__name__)
        raise ErlangenError(f"--symmetry {target} is {kind} instead of a Symmetry: see docs/audit.md")
    return made


def required_arguments(function: Any) -> list[str]:
    """Names of the arguments that have no default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty and parameter.kind in plain]


def as_model(function: Any, target: str) -> Callable[..., Any]:
    """A function that needs arguments is the model itself, unless it returns a module: then it is a builder after all."""
    if not inspect.isfunction(function):
        return function  # type: ignore[no-any-return]

    @functools.wraps(function)
    def model(*args: Any, **kwargs: Any) -> Any:
        output = function(*args, **kwargs)
        if isinstance(output, nn.Module):
            needed = ", ".join(required_arguments(function))
            raise ModelError(
                f"{target} builds a module but needs {needed}: give each a default, or a value with --build NAME=VALUE"
            )
        return output

    return model
