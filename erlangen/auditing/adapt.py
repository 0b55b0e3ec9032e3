"""Whatever the user calls a model -> a Model that an audit can call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from erlangen.auditing.adapters import Arrays, Select, graphs, texts
from erlangen.auditing.model import Adapter, Model, ModelError, precision_of
from erlangen.auditing.symmetry_check import in_words


def adapt(
    function: Callable[..., Any], inputs: Sequence[Any], domain: str, select: Select | None = None, batch_size: int = 32
) -> Model:
    """A Model of a torch module, an ONNX session or any callable; its precision is read off one call.

    Raises ModelError where it cannot be called, or fails on the first input.
    """
    name = getattr(function, "__qualname__", "") or type(function).__name__
    fixed = None
    if hasattr(function, "get_inputs") and hasattr(function, "run"):
        from erlangen.auditing.onnx import batch_of, session_function

        fixed, function, name = batch_of(function), session_function(function), "ONNX session"
    if not callable(function):
        raise ModelError(f"a model is called as f(inputs); a {type(function).__name__} cannot be called")
    adapter: Adapter
    if domain == "texts":
        adapter = texts(function, select)
    elif domain == "graphs":
        adapter = graphs(function, select)
    else:
        adapter = Arrays(select, channels_first=domain == "series")
    module = function if isinstance(function, nn.Module) else None
    parameter = next(module.parameters(), None) if module is not None else None
    device = parameter.device if parameter is not None else torch.device("cpu")
    model = Model(
        function=function, adapter=adapter, name=name, module=module, batch_size=batch_size, fixed_batch=fixed, device=device
    )
    try:
        output = model([inputs[0]])[0]
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{name} failed on input 0: {in_words(error)}") from error
    eps = torch.finfo(precision_of(module, output)).eps
    return Model(
        function=function,
        adapter=adapter,
        name=name,
        module=module,
        eps=eps,
        batch_size=batch_size,
        fixed_batch=fixed,
        device=device,
    )


def parameters_in_words(model: Model) -> str:
    """'ResNet, 11.7 M parameters'"""
    if model.module is None:
        return model.name
    count = sum(parameter.numel() for parameter in model.module.parameters())
    unit = min(3, int(math.log10(max(count, 1)) // 3))
    return f"{model.name}, {count / 1000**unit:.3g}{('', ' k', ' M', ' G')[unit]} parameters"
