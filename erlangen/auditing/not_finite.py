"""Where a model first returns NaN or infinity."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from erlangen.auditing.advice import find_layer
from erlangen.auditing.layers import record_layers
from erlangen.auditing.model import Model
from erlangen.auditing.state import quiet


def first_not_finite(model: Model, x: Any, seed: int = 0) -> str:
    """`the output contains NaN, first at head (Linear), whose parameters contain NaN`; '' if it cannot be found out.

    A layer may rightly return infinity, as masks do: if the output contains NaN, only the first NaN counts.
    """
    with quiet(seed), suppress(Exception):
        entries = record_layers(model, [x], slice(1))
        kind = kind_of(entries[-1].outputs[0])
        first = next(entry for entry in entries if kind and kind in kinds_of(entry.outputs[0]))
        if first is entries[-1]:
            return f"the output contains {kind}"
        return f"the output contains {kind}, first at {first.name} ({first.kind}){describe_parameters(model, first.name)}"
    return ""


def kind_of(y: Tensor) -> str:
    """`NaN` or `infinity`, of which NaN comes first; '' if all is finite."""
    return next(iter(kinds_of(y)), "")


def kinds_of(y: Tensor) -> list[str]:
    """What of `NaN` and `infinity` there is in a tensor."""
    return [kind for kind, there in (("NaN", y.isnan()), ("infinity", y.isinf())) if bool(there.any())]


def describe_parameters(model: Model, name: str) -> str:
    """`, whose parameters contain NaN`, if that is so."""
    layer = find_layer(model, name)
    own: list[nn.Parameter] = list(layer.parameters()) if layer is not None else []
    kind = next((kind for parameter in own if (kind := kind_of(parameter))), "")
    return f", whose parameters contain {kind}" if kind else ""
