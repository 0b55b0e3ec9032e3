"""Inputs from what is named on a command line: a file, a folder of pictures, or a shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import describe_error
from erlangen.auditing.domain import all_domains
from erlangen.auditing.inputs import generated
from erlangen.auditing.request import AuditRequest, parse_shape
from erlangen.errors import ErlangenError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def load_inputs(request: AuditRequest) -> Any:
    """The inputs that a request names. Raises ErlangenError if they cannot be read or made."""
    if request.input is None:
        raise ErlangenError(
            "there are no inputs: give --input FILE.npy, a folder of pictures or a shape like 3x224x224, "
            "or let the builder return (model, inputs)"
        )
    path = Path(request.input)
    try:
        if path.is_dir():
            return read_pictures(path, request.n)
        if path.exists():
            return first_rows(read_file(path), request.n)
        return make_inputs(parse_shape(request.input), request)
    except InputError as error:
        raise ErlangenError(f"--input {request.input}: {error}") from None


class InputError(Exception):
    """Why inputs cannot be read or made."""


def make_inputs(shape: tuple[int, ...], request: AuditRequest) -> list[Any]:
    """Random inputs of a shape; the domain is guessed if only one has as many axes."""
    possible = [domain.name for domain in all_domains() if len(domain.axes) == len(shape)]
    if request.domain is None and len(possible) != 1:
        names = f"{', '.join(possible[:-1])} or {possible[-1]}" if possible else "DOMAIN"
        raise InputError(f"its domain cannot be guessed; add --domain {names}")
    try:
        return generated(request.domain or possible[0], shape, request.n or 32, request.vocabulary or 100, request.seed)
    except ErlangenError as error:
        raise InputError(str(error)) from None


def read_file(path: Path) -> Any:
    """The array of a .npy, the first of a .npz, or the tensors of a .pt; no code in them is executed."""
    if path.suffix not in (".npy", ".npz", ".pt", ".pth"):
        raise InputError("only .npy, .npz and .pt files and folders of pictures can be read")
    try:
        if path.suffix in (".pt", ".pth"):
            return torch.load(path, weights_only=True)
        loaded = np.load(path, allow_pickle=False)
        if path.suffix == ".npy":
            return loaded
        with loaded as arrays:
            return arrays[arrays.files[0]] if arrays.files else np.zeros(0)
    except Exception as error:
        pickled = "pickle" in str(error).lower() or "weights_only" in str(error)
        reason = "it contains pickled Python objects, which may run code: save plain arrays or tensors"
        raise InputError(f"it cannot be read: {reason if pickled else describe_error(error)}") from None


def first_rows(content: Any, n: int) -> Any:
    """The first n inputs in a file, or all if n = 0; of a tokenizer's output, the first n rows of each tensor."""
    if isinstance(content, Mapping) and "input_ids" in content:
        return {name: rows[: n or None] for name, rows in content.items()}
    if isinstance(content, (list, tuple)) and content:
        return content[: n or None]
    if not isinstance(content, (np.ndarray, Tensor)) or not content.ndim or not len(content):
        single = getattr(content, "ndim", 1) == 0
        empty = hasattr(content, "ndim") or content in ([], ())
        kind = "a single number" if single else "nothing" if empty else f"a {type(content).__name__}"
        raise InputError(f"it contains {kind} instead of an array with one row per input, or a list of tensors")
    if isinstance(content, np.ndarray) and content.dtype.kind not in "biuf":
        raise InputError(f"it contains {content.dtype} entries instead of real numbers")
    return content[: n or None]


def read_pictures(path: Path, n: int) -> list[Tensor]:
    """The first n pictures of a folder by name, or all if n = 0, as (3, H, W) in [0, 1]."""
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        raise InputError(f"there are no pictures in it ({', '.join(PICTURES)})")
    try:
        from PIL import Image
    except ImportError:
        raise InputError("reading pictures needs Pillow: pip install pillow") from None
    pictures = []
    for file in files[: n or None]:
        try:
            with Image.open(file) as image:
                pictures.append(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255)
        except OSError as error:
            raise InputError(f"{file.name} is not a picture that can be read: {error}") from None
    return pictures
