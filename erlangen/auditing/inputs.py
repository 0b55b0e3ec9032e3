"""Inputs as users have them -> a list of inputs of one domain; or inputs made for a shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, describe_error, with_article
from erlangen.auditing.domain import Domain, all_domains, load_domain
from erlangen.auditing.layout import doubtful_layout, to_channels_first
from erlangen.auditing.request import LAYOUTS
from erlangen.auditing.single import split_inputs
from erlangen.auditing.spelling import option
from erlangen.errors import ErlangenError


class InputsRead(NamedTuple):
    """The inputs, one record or tensor each, without a batch dimension; their domain; and what was done to them, in sentences."""

    inputs: list[Any]
    domain: Domain
    notes: tuple[str, ...] = ()


PIXELS = "The pixels were bytes (uint8); the model was given float32 in [0, 1]."


def as_inputs(given: Any, domain: str | None = None, vocabulary: int | None = None) -> tuple[list[Any], Domain]:
    """The inputs and their domain, as `read_inputs` reads them."""
    return read_inputs(given, domain, vocabulary)[:2]


def read_inputs(
    given: Any,
    domain: str | None = None,
    vocabulary: int | None = None,
    layout: str | None = None,
    preprocess: Callable[[Any], Any] | None = None,
) -> InputsRead:
    """Inputs as users have them -> one record or tensor each.

    images: (B, C, H, W), (B, H, W, C), (B, H, W) or a list of these without B; uint8 becomes float32 in [0, 1]. texts: integers
    (B, T), a list of (T,), Hugging Face's `input_ids` with `attention_mask`, or `Text`s. graphs: `Graph`s or PyTorch Geometric's
    `Data`. points (B, N, d) and series (B, C, T), (B, T, C) or (B, T) need `domain`, since their shapes look alike; one text,
    series or cloud needs no B. The vocabulary of texts ends at their largest token unless it is given.
    volumes: (B, C, D, H, W), (B, D, H, W, C) or (B, D, H, W). layout: the order of the axes, such as `hwc`, where it cannot be
    told from the sizes; with `tbc`, series are (T, B, C). preprocess: is called with each input, images
    (C, H, W) and series (C, T), and returns another.

    Raises ModelError if there are no inputs, their domain or layout cannot be told, or a number in them is not finite.
    """
    try:
        inputs, kind, notes = _read(given, domain or (LAYOUTS[layout] if layout else None), vocabulary, layout)
    except ErlangenError:
        raise
    except Exception as error:
        raise ModelError(
            f"cannot read inputs of type {type(given).__name__} as a batch or a list: {describe_error(error)}"
        ) from error
    if preprocess is not None:
        notes = tuple(note for note in notes if note != PIXELS)
        given, inputs = inputs, preprocessed(inputs, preprocess)
        notes = (*notes, f"The preprocessing function was given {span(given)} and returned {span(inputs)}.")
    for place, x in enumerate(inputs):
        if not all(torch.isfinite(tensor).all() for tensor in float_tensors(x)):
            raise ModelError(f"input {place} contains NaN or infinity: remove such inputs, or an audit would measure nothing")
    return InputsRead(inputs, kind, notes)


def _read(given: Any, name: str | None, vocabulary: int | None, layout: str | None) -> InputsRead:
    for domain in all_domains():
        if (inputs := domain.recognize(given)) is not None:
            return InputsRead(inputs, domain.fitted(domain, inputs))
    items, notes = split_inputs(given, name, layout)
    if not items:
        raise ModelError("there are no inputs: an audit needs at least one, and at least two for intervals")
    for domain in all_domains():
        recognized = [domain.recognize(item) for item in items]
        if all(part is not None for part in recognized):
            inputs = [x for part in recognized for x in part or ()]
            return InputsRead(inputs, domain.fitted(domain, inputs))
    tensors = [torch.as_tensor(item) for item in items]
    domain = load_domain(name) if name else guess_domain(tensors[0])
    if domain.name not in LAYOUTS.values():
        return InputsRead(domain.read(tensors, vocabulary), domain, notes)
    arranged, channels = to_channels_first(tensors, domain.name, layout)
    notes += doubtful_layout(arranged, tensors, domain.name, layout)
    if domain.name == "images":
        arranged, pixels = to_unit_range(arranged)
        notes += pixels
    adapter = domain.adapter
    at_place = replace(domain, adapter=lambda function: replace(adapter(function), channels=channels))  # type: ignore[type-var]
    return InputsRead(domain.read(arranged, vocabulary), at_place, notes)


def span(inputs: Sequence[Any]) -> str:
    """`values from 0 to 1`; `inputs` where they are no arrays of numbers."""
    if not all(isinstance(x, Tensor) and x.numel() for x in inputs):
        return "inputs"
    low, high = min(float(x.min()) for x in inputs), max(float(x.max()) for x in inputs)
    return f"values from {low:.3g} to {high:.3g}"


def to_unit_range(images: Sequence[Tensor]) -> tuple[list[Tensor], tuple[str, ...]]:
    """Images of bytes (uint8, 0 to 255) as float32 in [0, 1]; others as they are."""
    if not any(image.dtype == torch.uint8 for image in images):
        return list(images), ()
    scaled = [image.float() / 255 if image.dtype == torch.uint8 else image for image in images]
    return scaled, (PIXELS,)


def preprocessed(inputs: Sequence[Any], function: Callable[[Any], Any]) -> list[Any]:
    """function(x) of each input; arrays become tensors. Raises ModelError that names the input if one fails."""
    results = []
    for place, x in enumerate(inputs):
        try:
            y = function(x)
            results.append(torch.as_tensor(y) if isinstance(y, np.ndarray) else y)
        except Exception as error:
            raise ModelError(f"the preprocessing failed on input {place}: {describe_error(error)}") from error
        if type(results[-1]) is not type(x) or (isinstance(x, Tensor) and results[-1].ndim != x.ndim):
            found = f"shape {tuple(y.shape)}" if hasattr(y, "shape") else with_article(type(y).__name__)
            wanted = f"{x.ndim} axes, as its input has: no batch axis" if isinstance(x, Tensor) else type(x).__name__
            raise ModelError(f"the preprocessing returned {found} for input {place} instead of {wanted}")
    return results


def guess_domain(x: Tensor) -> Domain:
    """The only domain whose inputs have as many axes as x. Raises ModelError if there are several, or none."""
    possible = [domain for domain in all_domains() if len(domain.axes) == x.ndim]
    if len(possible) != 1:
        names = [domain.name for domain in possible or all_domains()]
        gray = x.ndim == 2 and "images" not in names  # (B, H, W)
        batch = "; a single color image needs a batch axis, (1, C, H, W)" if x.ndim == 2 else ""
        first, *others = ["images", *names] if gray else names
        choice = " or ".join([option("domain", first) + (" (gray)" if gray else ""), *others])
        raise ModelError(f"cannot guess the domain of inputs of shape {tuple(x.shape)}: give {choice}{batch}")
    return possible[0]


def float_tensors(x: Any) -> list[Tensor]:
    """All floating-point tensors in an input."""
    parts = [getattr(x, field.name) for field in fields(x)] if is_dataclass(x) else [x]
    return [part for part in parts if isinstance(part, Tensor) and part.is_floating_point()]


def to_double(x: Any) -> Any:
    """An input with its floating-point numbers in float64, so that moving it does not round it."""
    if isinstance(x, Tensor):
        return x.double() if x.is_floating_point() else x
    if isinstance(x, dict):
        return {name: to_double(value) for name, value in x.items()}
    if is_dataclass(x) and not isinstance(x, type):
        return replace(x, **{field.name: to_double(getattr(x, field.name)) for field in fields(x)})
    return x


def generated(domain: str, shape: Sequence[int], n: int = 32, vocabulary: int = 100, seed: int = 0) -> list[Any]:
    """n random inputs of one shape.

    images (C, H, W) and volumes (C, D, H, W): smooth random fields, so that rotations lose little. texts (T,): uniform tokens.
    points (N, d) and series (C, T): standard normal. graphs (N, F): N nodes with normal features and about 3N undirected edges,
    each in both directions.
    """
    kind, rng = load_domain(domain), np.random.default_rng(seed)
    if len(shape) != len(kind.axes) or min(shape) < 1:
        raise ErlangenError(
            f"cannot make {domain} of shape {tuple(shape)}: give {len(kind.axes)} positive sizes, {' × '.join(kind.axes)}, "
            "without a batch dimension"
        )
    return [kind.generate(shape, vocabulary, rng) for _ in range(n)]
