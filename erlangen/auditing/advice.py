"""What to do about a broken check: the advice of the check, or a better one where the layer that was found says more."""

from __future__ import annotations

from torch import nn

from erlangen.auditing.model import Model
from erlangen.auditing.pair import Check
from erlangen.records.audit import Breaks


def advise(check: Check, model: Model, breaks: Breaks | None) -> str:
    """The advice for a broken check. breaks: where it breaks, if that is known."""
    layer = find_layer(model, breaks.culprit) if breaks is not None and breaks.culprit is not None else None
    if breaks is not None and check.name == "causality" and isinstance(layer, nn.RNNBase) and layer.bidirectional:
        return f"{breaks.culprit} is bidirectional: it reads its input from both ends. Build it with bidirectional=False."
    return check.advice


def find_layer(model: Model, name: str) -> nn.Module | None:
    """The layer that a report names `conv` or `conv (call 2)`."""
    layers = dict(model.module.named_modules()) if model.module is not None else {}
    return layers.get(name.partition(" (call ")[0])
