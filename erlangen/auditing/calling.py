"""How models are called, which tensor of their return value is judged, and how failures are reported."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import Tensor

from erlangen.auditing.blame import place_of
from erlangen.auditing.containers import tensors_of
from erlangen.auditing.spelling import option
from erlangen.errors import FAILED, ErlangenError

Select: TypeAlias = Callable[[Any], Tensor]
OUTPUTS = ("logits", "last_hidden_state", "prediction_logits", "pooler_output", "out")  # names that libraries use, best first


class ModelError(ErlangenError):
    """The user's model or inputs failed to load or run."""

    exit_code = FAILED


class CannotBeAskedError(ModelError):
    """A check needs an argument that the model does not have."""


def describe_error(error: BaseException) -> str:
    """The exception at the bottom of its chain of causes, on one line: it says best what went wrong; and where in whose code."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
    return said + place_of(error)


def with_article(noun: str) -> str:
    """`a Tensor`, `an OrderedDict`"""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def argument_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arguments of a model; () if it has no signature."""
    try:
        return tuple(inspect.signature(getattr(function, "forward", function)).parameters)
    except (TypeError, ValueError):
        return ()


def select_tensor(output: Any, select: Select | None) -> Tensor:
    """The tensor to judge: what `select` returns, or else the output itself, its `logits` or the like, or its first tensor.

    The first one of numbers, where there is any: class ids and masks come after them. A sparse one becomes dense.
    """
    tensor = main_tensor(output if select is None else select(output))
    return tensor.to_dense() if tensor.is_sparse else tensor


def main_tensor(output: Any) -> Tensor:
    """What `select_tensor` takes by itself. Raises ModelError if there is no tensor."""
    for name in OUTPUTS:
        if isinstance(output, Tensor):
            break
        part = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        output = part if isinstance(part, Tensor) else output
    if not isinstance(output, Tensor) and (tensors := list(tensors_of(output).values())):
        output = next((tensor for tensor in tensors if tensor.ndim and is_real(tensor)), tensors[0])
    if not isinstance(output, Tensor):
        kind = with_article(type(output).__name__)
        raise ModelError(f"the model returned {kind}; it must return a tensor, or a tuple, dict or object that holds one")
    return output


def is_real(y: Tensor) -> bool:
    """Whether a tensor holds numbers, real or complex, and no class ids or masks."""
    return y.is_floating_point() or y.is_complex()


def split_batch(y: Tensor, batch: int) -> list[Tensor]:
    """One output per input; a scalar becomes a vector with one entry."""
    if y.ndim == 0 or len(y) != batch:
        raise ModelError(
            f"the model returned shape {tuple(y.shape)} for a batch of {batch}, but the first dimension must be the batch: "
            f"select or transpose the output with {option('select')}"
        )
    return list((y[:, None] if y.ndim == 1 else y).unbind())
