"""Inputs from what is named on a command line: a file, a folder of pictures, or a shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, describe_error, with_article
from erlangen.auditing.domain import all_domains, load_domain
from erlangen.auditing.folder import InputError, read_pictures
from erlangen.auditing.inputs import generated
from erlangen.auditing.layout import to_channels_first
from erlangen.auditing.request import LAYOUTS, AuditRequest
from erlangen.auditing.targets import parse_shape
from erlangen.errors import ErlangenError

VOCABULARY = ("vocab_size",)  # names in a config
LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "block_size")


def load_inputs(request: AuditRequest, model: Any = None) -> tuple[Any, tuple[str, ...]]:
    """The inputs that a request names, and what to know about them. model: its config limits the texts that are made.

    Raises ModelError if they cannot be read, ErlangenError if they cannot be made.
    """
    if request.input is None:
        raise ErlangenError(
            "there are no inputs: give --input FILE.npy, a folder of pictures or a shape like 3x224x224, "
            "or let the builder return (model, inputs)"
        )
    path = Path(request.input)
    try:
        return read_inputs(path, request) if path.exists() else make_inputs(parse_shape(request.input), request, model)
    except InputError as error:
        kind = ModelError if path.exists() else ErlangenError
        raise kind(f"--input {request.input}: {error}") from None


def read_inputs(path: Path, request: AuditRequest) -> tuple[Any, tuple[str, ...]]:
    """The first inputs in a file or folder, and what to know about them. Raises InputError if they cannot be read."""
    if path.is_dir():
        return read_pictures(path, request.n)
    content = read_file(path)
    if request.layout == "tbc" and isinstance(content, (np.ndarray, Tensor)) and content.ndim == 3:
        return content[:, : request.n or None], ()
    return first_rows(content, request.n), ()


def describe_source(request: AuditRequest, domain: str) -> str:
    """Where the inputs come from: `images.npy`, `returned by m.py:build`, `smooth random images, generated with seed 0`."""
    if request.input is None:
        return f"returned by {request.target}"
    if Path(request.input).exists():
        return request.input
    smooth = "smooth " if domain in ("images", "volumes") else ""
    return f"{smooth}random {domain}, generated with seed {request.seed}"


def make_inputs(shape: tuple[int, ...], request: AuditRequest, model: Any = None) -> tuple[list[Any], tuple[str, ...]]:
    """Random inputs of a shape, with axes in the order of the layout; the domain is guessed if only one has as many axes."""
    possible = [domain.name for domain in all_domains() if len(domain.axes) == len(shape)]
    declared = request.domain or (LAYOUTS[request.layout] if request.layout else None)
    if declared is None and len(possible) != 1:
        names = f"{', '.join(possible[:-1])} or {possible[-1]}" if possible else "DOMAIN"
        raise InputError(f"its domain cannot be guessed; add --domain {names}")
    domain = declared or possible[0]
    size, notes = (100, ()) if domain != "texts" else vocabulary_of(request.vocabulary, shape, model)
    try:
        if domain in LAYOUTS.values() and len(shape) == len(load_domain(domain).axes) and min(shape) > 0:
            (_,), channels = to_channels_first([torch.empty(shape, device="meta")], domain, request.layout)
            if channels == "last":  # made with channels first, given in the order of the shape
                made = generated(domain, (shape[-1], *shape[:-1]), request.n or 32, size, request.seed)
                return [x.movedim(0, -1) for x in made], ()
        return generated(domain, shape, request.n or 32, size, request.seed), notes
    except ErlangenError as error:
        raise InputError(str(error)) from None


def vocabulary_of(asked: int | None, shape: tuple[int, ...], model: Any) -> tuple[int, tuple[str, ...]]:
    """The number of token ids to draw from, and a sentence if it was chosen for lack of a better one.

    Raises InputError if the model's config says that it takes fewer, or shorter texts.
    """
    config = getattr(model, "config", None)
    known, name = first_number(config, VOCABULARY)
    if asked is not None and known is not None and asked > known:
        raise InputError(f"--vocabulary {asked} is more than the model takes: its config.{name} is {known}")
    longest, name = first_number(config, LENGTHS)
    if longest is not None and len(shape) == 1 and shape[0] > longest:
        raise InputError(f"a text of {shape[0]} tokens is longer than the model takes: its config.{name} is {longest}")
    if asked is None and known is None:
        return 100, ("Token ids were drawn from 0 to 99; name the size of the vocabulary with --vocabulary.",)
    return asked or known or 100, ()


def first_number(config: Any, names: Sequence[str]) -> tuple[int | None, str]:
    """The first of these fields of a config that holds a positive integer, and its name."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value, name
    return None, ""


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
        kind = "a single number" if single else "nothing" if empty else with_article(type(content).__name__)
        raise InputError(f"it contains {kind} instead of an array with one row per input, or a list of tensors")
    if isinstance(content, np.ndarray) and content.dtype.kind not in "biuf":
        raise InputError(f"it contains {content.dtype} entries instead of real numbers")
    return content[: n or None]
