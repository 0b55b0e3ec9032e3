"""A model and its inputs, from what is named on a command line."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from erlangen.auditing.inputs import generated
from erlangen.auditing.model import ModelError
from erlangen.auditing.symmetry_check import in_words
from erlangen.errors import ErlangenError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
PACKAGES = {  # what to install, where it is not called as it is imported
    "cv2": "opencv-python",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def load_model(target: str) -> tuple[Callable[..., Any], Any]:
    """The model that `FILE.py:name` or `module:name` stands for, and its inputs where the builder gives them too, else None.

    name is a function without arguments that builds the model, or (model, inputs); a class of modules; or the model itself.
    An ONNX file stands for itself. Raises ErlangenError for a target that names nothing, ModelError where its code fails.
    """
    if target.endswith(".onnx"):
        from erlangen.auditing.onnx import load_session

        return load_session(Path(target)), None
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise ErlangenError(f"{target}: name what builds the model, as FILE.py:build or package.module:build")
    module = _module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise ErlangenError(f"{place} has no {name!r}; it has {', '.join(names[:12]) or 'nothing that can be called'}")
        found = getattr(found, part)
    if isinstance(found, nn.Module) or not callable(found):
        built = found
    elif arguments := _needed_arguments(found):
        if inspect.isclass(found):
            raise ErlangenError(f"{target} needs {', '.join(arguments)}: name a function without arguments that makes one")
        return _no_builder(found, target), None  # the model itself
    else:
        try:
            built = found()
        except Exception as error:
            raise ModelError(f"{target} raised {in_words(error)}{remedy(error)}") from error
    if isinstance(built, tuple) and len(built) == 2:
        return built[0], built[1]
    if not callable(built) and not hasattr(built, "run"):
        raise ModelError(f"{target} gave a {type(built).__name__}; a torch module, a callable or (model, inputs) is wanted")
    return built, None


def _needed_arguments(found: Any) -> list[str]:
    """Names of the arguments without a default."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty and parameter.kind in plain]


def _no_builder(found: Any, target: str) -> Callable[..., Any]:
    """A function that needs arguments is taken for the model itself; one that then gives a module is a builder after all."""
    if not inspect.isfunction(found):
        return found  # type: ignore[no-any-return]

    @functools.wraps(found)
    def model(*args: Any, **kwargs: Any) -> Any:
        output = found(*args, **kwargs)
        if isinstance(output, nn.Module):
            needed = ", ".join(_needed_arguments(found))
            raise ModelError(f"{target} builds a module but needs {needed}: give each a default, or name a function that does")
        return output

    return model


def _module(place: str) -> Any:
    """A file or a module, imported; its own folder, or the current one, is on the path as it is for `python FILE.py`."""
    try:
        if place.endswith(".py"):
            return _file(place)
        _importable(Path.cwd())
        return importlib.import_module(place)
    except ErlangenError:
        raise
    except SystemExit as error:
        raise ModelError(
            f"importing {place} ended the process (exit {error.code}): guard it with if __name__ == '__main__'"
        ) from None
    except ModuleNotFoundError as error:
        if error.name and f"{place}.".startswith(f"{error.name}."):
            raise ErlangenError(
                f"no module {error.name}, neither installed nor in this folder: a file is FILE.py:build"
            ) from None
        raise ModelError(f"importing {place} failed: {in_words(error)}{remedy(error)}") from error
    except Exception as error:
        raise ModelError(f"importing {place} failed: {in_words(error)}{remedy(error)}") from error


def _file(place: str) -> Any:
    """A file by its place; one of a package (its folder has an `__init__.py`) as a part of it, so that it can name siblings."""
    path = Path(place).resolve()
    if not path.is_file():
        raise ErlangenError(f"no file {place}: name an existing one, as FILE.py:build")
    root, name = path.parent, path.stem
    while (root / "__init__.py").is_file() and root != root.parent:
        root, name = root.parent, f"{root.name}.{name}"
    _importable(root)
    top = name.partition(".")[0]
    if root != path.parent and top not in sys.modules and top not in sys.stdlib_module_names:
        module = importlib.import_module(name.removesuffix(".__init__"))
        if module.__file__ is not None and Path(module.__file__).resolve() == path:
            return module
    # never in the place of another module: `json.py` must not become what torch gets for `import json`
    taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    name = f"{path.stem}_to_audit" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _importable(folder: Path) -> None:
    """Puts a folder on the module path, before all packages but behind Python's own modules: none of them is replaced."""
    own = {sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED")}
    places = [place for place, entry in enumerate(sys.path) if entry in own]
    sys.path.insert(max(places, default=-1) + 1, str(folder))


def remedy(error: BaseException) -> str:
    """What mends a failure that many meet; '' for others."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    if "torchvision::nms" in text or ("torchvision::" in text and "does not exist" in text):
        return "; torch and torchvision are of different builds: install both from one index, e.g. download.pytorch.org/whl/cpu"
    if isinstance(error, ModuleNotFoundError) and error.name:
        top, dot, _ = error.name.partition(".")
        if dot and importlib.util.find_spec(top) is not None:
            return f"; the {top} that is installed has no such part: another version may"
        return f"; pip install {PACKAGES.get(top, top)}"
    if "no known parent package" in text:
        return "; give its folder an __init__.py, or name it as package.module:build from the folder above"
    return ""


def load_inputs(named: str | None, domain: str | None, n: int, vocabulary: int | None, seed: int) -> tuple[Any, str | None]:
    """Inputs and their domain, from a file, a folder of pictures, or a shape as 3x32x32 for which they are made.

    Raises ErlangenError for what is none of these, or cannot be read.
    """
    if named is None:
        raise ErlangenError(
            "no inputs: give --input FILE.npy, a folder of pictures or a shape as 3x224x224, "
            "or let the builder return (model, inputs)"
        )
    path = Path(named)
    if path.is_dir():
        return folder(path, n), domain or "images"
    if path.exists():
        return first(read(path), n, named), domain
    sizes = named.replace(",", "x").split("x")
    if all(size.isascii() and size.isdigit() for size in sizes):
        shape = [int(size) for size in sizes]
        domain = domain or {1: "texts", 3: "images"}.get(len(shape))
        if domain is None:
            raise ErlangenError(f"--input {named}: say what it is with --domain points, series or graphs")
        try:
            return generated(domain, shape, n or 32, vocabulary or 100, seed), domain
        except ModelError as error:  # of the command, not of a model
            raise ErlangenError(f"--input {named}: {error}") from None
    raise ErlangenError(f"--input {named}: no such file or folder, and no shape as 3x224x224")


def read(path: Path) -> Any:
    """Arrays of a .npy, the first of a .npz, or tensors of a .pt; nothing in them is executed."""
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                if not arrays.files:
                    raise ErlangenError(f"--input {path}: no array in it")
                return arrays[arrays.files[0]]
        if path.suffix in (".pt", ".pth"):
            return torch.load(path, weights_only=True)
    except ErlangenError:
        raise
    except Exception as error:
        pickled = "pickle" in str(error).lower() or "weights_only" in str(error)
        why = (
            "it holds Python objects (pickles), which may run code; save plain arrays or tensors" if pickled else in_words(error)
        )
        raise ErlangenError(f"--input {path}: cannot be read: {why}") from None
    raise ErlangenError(f"--input {path}: .npy, .npz, .pt or a folder of pictures is understood")


def first(found: Any, n: int, named: str) -> Any:
    """The first n of what was read; all for 0. Of a tokenizer's output, the first n rows of each tensor."""
    if isinstance(found, Mapping) and "input_ids" in found:
        return {name: rows[: n or None] for name, rows in found.items()}
    if isinstance(found, (list, tuple)) and found:
        return found[: n or None]
    if not isinstance(found, (np.ndarray, torch.Tensor)) or not found.ndim or not len(found):
        single = getattr(found, "ndim", 1) == 0
        empty = hasattr(found, "ndim") or found in ([], ())
        kind = "a single number" if single else "nothing" if empty else f"a {type(found).__name__}"
        raise ErlangenError(f"--input {named}: holds {kind}; an array with one row an input, or a list of tensors, is wanted")
    if isinstance(found, np.ndarray) and found.dtype.kind not in "biuf":
        raise ErlangenError(f"--input {named}: holds {found.dtype} entries; real numbers are wanted")
    return found[: n or None]


def folder(path: Path, n: int) -> list[torch.Tensor]:
    """The pictures of a folder by name, as (3, H, W) in [0, 1]; the first n of them, all for 0."""
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        raise ErlangenError(f"--input {path}: no pictures in it ({', '.join(PICTURES)})")
    try:
        from PIL import Image
    except ImportError:
        raise ErlangenError("pictures are read with Pillow: pip install pillow") from None
    found = []
    for file in files[: n or None]:
        try:
            with Image.open(file) as image:
                found.append(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255)
        except OSError as error:
            raise ErlangenError(f"{file}: not a picture that can be read: {error}") from None
    return found
