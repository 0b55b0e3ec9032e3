"""A model and its inputs, from what is named on a command line."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from erlangen.auditing.inputs import generated
from erlangen.auditing.model import ModelError
from erlangen.auditing.symmetry_check import in_words
from erlangen.results import ErlangenError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


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
    elif _needs_arguments(found):
        return found, None  # the model itself
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


def _needs_arguments(found: Any) -> bool:
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return any(parameter.default is parameter.empty and parameter.kind in plain for parameter in parameters)


def _module(place: str) -> Any:
    """A file or a module, imported; its own folder, or the current one, is on the path as it is for `python FILE.py`."""
    try:
        if place.endswith(".py"):
            path = Path(place)
            if not path.is_file():
                raise ErlangenError(f"no file {place}: name an existing one, as FILE.py:build")
            sys.path.insert(0, str(path.resolve().parent))
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[path.stem] = module
            spec.loader.exec_module(module)
            return module
        sys.path.insert(0, "")
        return importlib.import_module(place)
    except ErlangenError:
        raise
    except SystemExit as error:
        raise ModelError(
            f"importing {place} ended the process (exit {error.code}): guard it with if __name__ == '__main__'"
        ) from None
    except Exception as error:
        raise ModelError(f"importing {place} failed: {in_words(error)}{remedy(error)}") from error


def remedy(error: BaseException) -> str:
    """What mends a failure that many meet; '' for others."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    if "torchvision::nms" in text or ("torchvision::" in text and "does not exist" in text):
        return ": torch and torchvision are of different builds; install both from one index, e.g. download.pytorch.org/whl/cpu"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f": pip install {error.name.partition('.')[0]}"
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
        return read(path)[: n or None], domain
    sizes = named.replace(",", "x").split("x")
    if all(size.isdigit() for size in sizes):
        shape = [int(size) for size in sizes]
        domain = domain or {1: "texts", 3: "images"}.get(len(shape))
        if domain is None:
            raise ErlangenError(f"--input {named}: say what it is with --domain points, series or graphs")
        return generated(domain, shape, n or 32, vocabulary or 100, seed), domain
    raise ErlangenError(f"--input {named}: no such file or folder, and no shape as 3x224x224")


def read(path: Path) -> Any:
    """Arrays of a .npy, the first of a .npz, or tensors of a .pt; nothing in them is executed."""
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return arrays[arrays.files[0]]
        if path.suffix in (".pt", ".pth"):
            return torch.load(path, weights_only=True)
    except Exception as error:
        raise ErlangenError(f"--input {path}: cannot be read: {in_words(error)}") from None
    raise ErlangenError(f"--input {path}: .npy, .npz, .pt or a folder of pictures is understood")


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
