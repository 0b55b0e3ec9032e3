"""Whatever the user calls a model -> a Model that an audit can call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from erlangen.auditing import exported
from erlangen.auditing.arithmetic import declared_eps, watched
from erlangen.auditing.calling import ModelError, Select, describe_error
from erlangen.auditing.choice import Choice
from erlangen.auditing.domain import Domain
from erlangen.auditing.judged import choose_outputs
from erlangen.auditing.model import Model
from erlangen.auditing.onnx import fixed_batch_of, is_session, session_function
from erlangen.auditing.onnx_decoder import shows_decoder
from erlangen.auditing.promises import OF_DECODERS, unpromised
from erlangen.auditing.spelling import option
from erlangen.auditing.ways import find_way, takes_batches

UNDECLARED = (
    "The graph shows no cache and no causal mask, so it may be an encoder: causality and left-padding are informational. They "
    "count if you ask for them by name."
)


def adapt(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    domain: Domain,
    select: Select | None = None,
    batch_size: int = 32,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    arguments: Mapping[str, Any] | None = None,
    state: Mapping[str, str] | None = None,
    wanted: Sequence[str] = (),
) -> Model:
    """A Model for a torch module, an ONNX session or any callable. One call shows its precision.

    device: where inputs go if no parameter says so. arguments, state: see `AuditRequest`; the notes say how the model is called.
    wanted: names of outputs to judge where there is a choice.

    Raises ModelError if it cannot be called, or fails on the first input.
    """
    name = getattr(function, "__qualname__", "") or type(function).__name__
    fixed, encoder = None, False
    if is_session(function):
        fixed, name, encoder = fixed_batch_of(function), "ONNX session", domain.name == "texts" and not shows_decoder(function)
        function, arguments = session_function(function, arguments, state), None
    if not callable(function):
        raise ModelError(f"a model must be callable as f(inputs), but {type(function).__name__} objects are not")
    module = function if isinstance(function, nn.Module) else None
    fixed = fixed if module is None else exported.fixed_batch_of(module)
    parameter = next(module.parameters(), None) if module is not None else None
    model = Model(
        function=function,
        adapter=domain.adapter(function),
        select=select,
        name=name,
        module=module,
        batch_size=batch_size,
        fixed_batch=fixed,
        device=parameter.device if parameter is not None else device,
        unpromised=OF_DECODERS if encoder else unpromised(module),
    )
    model, notes = find_way(model, inputs[0], arguments)
    together, why = takes_batches(model, inputs)
    if not together:
        model, notes = replace(model, fixed_batch=1), (*notes, why)
    choice = choose_outputs(model, inputs, domain, wanted) if select is None else Choice()
    output, eps = first_call(model, inputs[0])
    notes = (*notes, UNDECLARED) if encoder else notes
    return replace(model, eps=max(eps, declared_eps(module, output)), notes=notes, choice=choice)


def first_call(model: Model, x: Any) -> tuple[Tensor, float]:
    """f(x), and the machine epsilon of the least precise operation behind it; 0 where operations cannot be watched."""
    try:
        (output,), eps = watched(lambda: model([x]))
        return cast(Tensor, output), eps
    except Exception:  # some operations cannot be watched, and some models fail in any case
        return model([x])[0], 0.0


def call_all(model: Model, inputs: Sequence[Any], domain: Domain) -> list[Tensor]:
    """f(x) for all inputs. Raises ModelError that names the input if one fails, or if outputs differ in their features."""
    try:
        outputs = model(inputs)
    except Exception as together:
        for i, x in enumerate(inputs):
            try:
                model([x])
            except Exception as error:
                raise ModelError(f"{model.name} failed on input {i} ({domain.describe(x)}): {describe_error(error)}") from error
        size = min(model.batch_size, len(inputs))
        raise ModelError(
            f"{model.name} takes each input alone, but failed on {size} of them in one call: {describe_error(together)}; "
            f"give a smaller {option('batch_size')}"
        ) from together
    widths = {model.rows(y).shape[1] for y in outputs}
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
