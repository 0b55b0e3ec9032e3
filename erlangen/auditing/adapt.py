"""Whatever the user calls a model -> a Model that an audit can call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.auditing.calling import ModelError, Select, describe_error
from erlangen.auditing.domain import Domain
from erlangen.auditing.model import Model, precision_of


def adapt(
    function: Callable[..., Any], inputs: Sequence[Any], domain: Domain, select: Select | None = None, batch_size: int = 32
) -> Model:
    """A Model for a torch module, an ONNX session or any callable. One call shows its precision.

    Raises ModelError if it cannot be called, or fails on the first input.
    """
    name = getattr(function, "__qualname__", "") or type(function).__name__
    fixed = None
    if hasattr(function, "get_inputs") and hasattr(function, "run"):
        from erlangen.auditing.onnx import fixed_batch_of, session_function

        fixed, function, name = fixed_batch_of(function), session_function(function), "ONNX session"
    if not callable(function):
        raise ModelError(f"a model must be callable as f(inputs), but {type(function).__name__} objects are not")
    module = function if isinstance(function, nn.Module) else None
    parameter = next(module.parameters(), None) if module is not None else None
    model = Model(
        function=function,
        adapter=domain.adapter(function),
        select=select,
        name=name,
        module=module,
        batch_size=batch_size,
        fixed_batch=fixed,
        device=parameter.device if parameter is not None else torch.device("cpu"),
    )
    try:
        output = model([inputs[0]])[0]
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{name} failed on input 0: {describe_error(error)}") from error
    return replace(model, eps=torch.finfo(precision_of(module, output)).eps)


def call_all(model: Model, inputs: Sequence[Any], domain: Domain) -> list[Tensor]:
    """f(x) for all inputs. Raises ModelError that names the input if one fails, or if outputs differ in their features."""
    try:
        outputs = model(inputs)
    except Exception:
        for i, x in enumerate(inputs):
            try:
                model([x])
            except Exception as error:
                raise ModelError(f"{model.name} failed on input {i} ({domain.describe(x)}): {describe_error(error)}") from error
        raise
    widths = {model.adapter.sites(y).shape[1] for y in outputs}
    if len(widths) > 1:
        raise ModelError(f"{model.name} returned outputs with {sorted(widths)} features, but all must have the same number")
    return outputs


def describe_model(model: Model) -> str:
    """`ResNet, 11.7 M parameters`"""
    if model.module is None:
        return model.name
    count = sum(parameter.numel() for parameter in model.module.parameters())
    unit = min(3, int(math.log10(max(count, 1)) // 3))
    return f"{model.name}, {count / 1000**unit:.3g}{('', ' k', ' M', ' G')[unit]} parameters"
