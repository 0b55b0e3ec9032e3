"""Inputs as users have them -> a list of inputs of one domain; or inputs made for a shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, describe_error
from erlangen.auditing.domain import Domain, all_domains, load_domain
from erlangen.errors import ErlangenError


def as_inputs(given: Any, domain: str | None = None, vocabulary: int | None = None) -> tuple[list[Any], Domain]:
    """The inputs, one record or tensor each, without a batch dimension; and their domain.

    images: (B, C, H, W) or a list of (C, H, W). texts: integers (B, T), a list of (T,), Hugging Face's `input_ids` with
    `attention_mask`, or `Text`s. graphs: `Graph`s or PyTorch Geometric's `Data`. points (B, N, d) and series (B, C, T) need
    `domain`, since their shapes look alike. The vocabulary of texts ends at their largest token unless it is given.

    Raises ModelError if there are no inputs, their domain cannot be guessed, or a number in them is not finite.
    """
    try:
        inputs, kind = _read(given, domain, vocabulary)
    except ErlangenError:
        raise
    except Exception as error:
        raise ModelError(
            f"cannot read inputs of type {type(given).__name__} as a batch or a list: {describe_error(error)}"
        ) from error
    for place, x in enumerate(inputs):
        if not all(torch.isfinite(tensor).all() for tensor in float_tensors(x)):
            raise ModelError(f"input {place} contains NaN or infinity: remove such inputs, or an audit would measure nothing")
    return inputs, kind


def _read(given: Any, name: str | None, vocabulary: int | None) -> tuple[list[Any], Domain]:
    for domain in all_domains():
        if (inputs := domain.recognize(given)) is not None:
            return inputs, domain
    items = list(given.unbind() if isinstance(given, Tensor) and given.ndim else given)
    if not items:
        raise ModelError("there are no inputs: an audit needs at least one, and at least two for intervals")
    for domain in all_domains():
        recognized = [domain.recognize(item) for item in items]
        if all(part is not None for part in recognized):
            return [x for part in recognized for x in part or ()], domain
    tensors = [torch.as_tensor(item) for item in items]
    domain = load_domain(name) if name else guess_domain(tensors[0])
    return domain.read(tensors, vocabulary), domain


def guess_domain(x: Tensor) -> Domain:
    """The only domain whose inputs have as many axes as x. Raises ModelError if there are several, or none."""
    possible = [domain for domain in all_domains() if len(domain.axes) == x.ndim]
    if len(possible) != 1:
        names = " or ".join(repr(domain.name) for domain in possible or all_domains())
        raise ModelError(f"cannot guess the domain of inputs of shape {tuple(x.shape)}: set domain={names}")
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

    images (C, H, W): smooth random fields, so that rotations lose little. texts (T,): uniform tokens. points (N, d) and series
    (C, T): standard normal. graphs (N, F): N nodes with normal features and about 3N undirected edges, each in both directions.
    """
    kind, rng = load_domain(domain), np.random.default_rng(seed)
    if len(shape) != len(kind.axes) or min(shape) < 1:
        raise ErlangenError(
            f"cannot make {domain} of shape {tuple(shape)}: give {len(kind.axes)} positive sizes, {' × '.join(kind.axes)}, "
            "without a batch dimension"
        )
    return [kind.generate(shape, vocabulary, rng) for _ in range(n)]
