"""A model from what is named on a command line."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from erlangen.auditing.calling import ModelError, describe_error
from erlangen.auditing.request import split_target
from erlangen.errors import ErlangenError

PACKAGES = {"cv2": "opencv-python", "PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml"}


def load_model(target: str) -> tuple[Callable[..., Any], Any]:
    """The model that `FILE.py:name`, `module:name` or `FILE.onnx` names; and its inputs if the builder returns them, else None.

    name is a function without arguments that returns the model or (model, inputs), a class of modules, or the model itself.
    Raises ErlangenError if the target names nothing, ModelError if its code fails.
    """
    place, name = split_target(target)
    if not name:
        from erlangen.auditing.onnx import load_session

        return load_session(Path(place)), None
    value: Any = import_module(place)
    for part in name.split("."):
        if not hasattr(value, part):
            names = [key for key, entry in vars(value).items() if callable(entry) and not key.startswith("_")]
            raise ErlangenError(f"{place} has no {name!r}; it has {', '.join(names[:12]) or 'nothing that can be called'}")
        value = getattr(value, part)
    if isinstance(value, nn.Module) or not callable(value):
        built = value
    elif arguments := required_arguments(value):
        if inspect.isclass(value):
            raise ErlangenError(f"{target} needs {', '.join(arguments)}: name a function without arguments that builds it")
        return as_model(value, target), None
    else:
        try:
            built = value()
        except Exception as error:
            raise ModelError(f"{target} raised {describe_error(error)}{remedy(error)}") from error
    if isinstance(built, tuple) and len(built) == 2:
        return built[0], built[1]
    if not callable(built) and not hasattr(built, "run"):
        raise ModelError(f"{target} returned a {type(built).__name__} instead of a torch module, a callable or (model, inputs)")
    return built, None


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
            raise ModelError(f"{target} builds a module but needs {needed}: give each a default, or name a function that does")
        return output

    return model


def import_module(place: str) -> Any:
    """A file or a module, imported. Its folder, or the working directory, is on the path as it is for `python FILE.py`."""
    try:
        if place.endswith(".py"):
            return import_file(Path(place).resolve())
        add_to_path(Path.cwd())
        return importlib.import_module(place)
    except ErlangenError:
        raise
    except SystemExit as error:
        raise ModelError(
            f"importing {place} ended the process (exit {error.code}): guard that code with if __name__ == '__main__'"
        ) from None
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{place}.".startswith(f"{error.name}."):
            raise ErlangenError(
                f"there is no module {error.name}, neither installed nor in this folder; name a file as FILE.py:build"
            ) from None
        raise ModelError(f"importing {place} failed: {describe_error(error)}{remedy(error)}") from error


def import_file(path: Path) -> Any:
    """A file as a module; if it belongs to a package (its folder has an `__init__.py`), as part of that, for relative imports."""
    root, name = path.parent, path.stem
    while (root / "__init__.py").is_file() and root != root.parent:
        root, name = root.parent, f"{root.name}.{name}"
    add_to_path(root)
    top = name.partition(".")[0]
    if root != path.parent and top not in sys.modules and top not in sys.stdlib_module_names:
        module = importlib.import_module(name.removesuffix(".__init__"))
        if module.__file__ is not None and Path(module.__file__).resolve() == path:
            return module
    # never under the name of another module: `json.py` must not become what torch gets for `import json`
    taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    name = f"{path.stem}_to_audit" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def add_to_path(folder: Path) -> None:
    """Puts a folder on the module path, before all packages but after Python's own modules, so that it replaces none of them."""
    own = {sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED")}
    places = [place for place, entry in enumerate(sys.path) if entry in own]
    sys.path.insert(max(places, default=-1) + 1, str(folder))


def remedy(error: BaseException) -> str:
    """How to fix a common failure; '' for others."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    if "torchvision::nms" in text or ("torchvision::" in text and "does not exist" in text):
        return "; torch and torchvision are different builds: install both from one index, such as download.pytorch.org/whl/cpu"
    if isinstance(error, ModuleNotFoundError) and error.name:
        top, dot, _ = error.name.partition(".")
        if dot and importlib.util.find_spec(top) is not None:
            return f"; the installed version of {top} has no such module: try another version"
        return f"; pip install {PACKAGES.get(top, top)}"
    if "no known parent package" in text:
        return "; add an __init__.py to its folder, or name it as package.module:build from the folder above"
    return ""
