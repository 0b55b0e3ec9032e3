"""Where a symmetry is lost: the outputs of every layer for x and for g·x, compared in running order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.auditing.model import Model
from erlangen.auditing.tally import error_of
from erlangen.auditing.verdict import FLOOR
from erlangen.records.audit import Breaks, LayerError

Align = Callable[[int, Tensor, Tensor], "tuple[Tensor, Tensor] | None"]  # of input i: what to compare of f(x) and f(g·x)
MOST = 400  # entries kept of one call


@dataclass(frozen=True)
class Entry:
    """What one call of one layer gave for each input; `name` tells several calls of a shared layer apart."""

    name: str
    kind: str
    outputs: list[Tensor]


def traced(model: Model, inputs: Sequence[Any], keep: slice) -> list[Entry]:
    """Outputs of all layers in one call, for the inputs in `keep`.

    What reaches a layer without being the output of another, as after a function in some `forward`, is an entry of its own,
    `before NAME`: else the layer would be blamed for it.
    """
    assert model.module is not None
    entries: list[Entry] = []
    known: dict[int, Tensor] = {}  # by id; the reference keeps an id from being used again
    calls: dict[str, int] = {}

    def record(name: str, kind: str, value: Any) -> None:
        tensor = first_tensor(value)
        if tensor is None or id(tensor) in known or len(entries) >= MOST:
            return
        known[id(tensor)] = tensor
        split = by_input(model, tensor, inputs)
        if split is not None:
            entries.append(Entry(name, kind, [y.detach().to("cpu", copy=True) for y in split[keep]]))

    handles = []
    for name, module in model.module.named_modules():
        if not name:
            continue

        def before(module: nn.Module, args: Any, kwargs: Any, name: str = name) -> None:
            calls[name] = calls.get(name, 0) + 1
            if entries:
                record(f"before {numbered(name, calls[name])}", "function", args or tuple(kwargs.values()))

        def after(module: nn.Module, args: Any, output: Any, name: str = name) -> None:
            record(numbered(name, calls.get(name, 1)), type(module).__name__, output)

        handles += [module.register_forward_pre_hook(before, with_kwargs=True), module.register_forward_hook(after)]
    try:
        final = model.once(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [*entries, Entry("output", type(model.module).__name__, final[keep])]


def locate(
    model: Model, expected: Sequence[Any], actual: Sequence[Any], align: Align, element: str, keep: int, start: int = 0
) -> Breaks | None:
    """The layers in running order, and the first that has no action of g or an error above rounding.

    expected, actual: the inputs of two calls, of which the first `keep` are compared with as many from `start` on. None where the
    model is no torch module, or runs through other layers for g·x.
    """
    if model.module is None:
        return None
    left = traced(model, expected, slice(keep))
    right = {entry.name: entry for entry in traced(model, actual, slice(start, start + keep))}
    rows: list[LayerError] = []
    culprit, why = None, "no layer: every one keeps it"
    for entry in left:
        if entry.name not in right:
            continue
        row = compared(model, entry, right[entry.name].outputs, align)
        rows.append(row)
        if culprit is None and not row.exact and (row.error is not None or row.action == "no action"):
            culprit = row.layer
            lost = "g has no action on its output" if row.error is None else f"error {row.error:.2g} of its spread"
            why = f"{row.layer} ({row.kind}, {' × '.join(map(str, row.shape))}): {lost}"
    return Breaks(element=element, layers=tuple(rows), culprit=culprit, why=why)


def compared(model: Model, entry: Entry, actual: Sequence[Tensor], align: Align) -> LayerError:
    """Error of one layer over its own spread."""
    shape = tuple(entry.outputs[0].shape)
    pairs = []
    for i, (y, y_g) in enumerate(zip(entry.outputs, actual, strict=True)):
        try:
            aligned = align(i, y, y_g)
        except Exception:
            return LayerError(layer=entry.name, kind=entry.kind, shape=shape, action="unknown", error=None)
        if aligned is None:
            return LayerError(layer=entry.name, kind=entry.kind, shape=shape, action="no action", error=None)
        if aligned[0].shape != aligned[1].shape or not aligned[0].is_floating_point():
            return LayerError(layer=entry.name, kind=entry.kind, shape=shape, action="unknown", error=None)
        pairs.append((model.adapter.sites(aligned[0]).double(), model.adapter.sites(aligned[1]).double()))
    rows = torch.cat([y for y, _ in pairs])  # (S, D)
    rms = float(rows.square().mean().sqrt())
    spread = float((rows - rows.mean(0)).square().mean().sqrt())
    errors = [error_of(y, y_g) for y, y_g in pairs]
    worst, mean = max(errors), sum(errors) / len(errors)
    if math.isnan(worst):
        return LayerError(layer=entry.name, kind=entry.kind, shape=shape, action="not finite", error=None)
    unit = spread if spread > 8 * model.eps * rms else rms
    action = "invariant" if entry.outputs[0].ndim == 1 else "moves along"
    error = mean / unit if unit > 0 else (0.0 if worst == 0 else math.inf)
    return LayerError(
        layer=entry.name, kind=entry.kind, shape=shape, action=action, error=error, exact=worst <= FLOOR * model.eps * rms
    )


def by_input(model: Model, tensor: Tensor, inputs: Sequence[Any]) -> list[Tensor] | None:
    """A layer's output, one tensor an input; None where its rows belong to something else: edges, heads, windows."""
    adapter: Any = model.adapter
    try:
        return list(replace(adapter, select=None).split(tensor, inputs))
    except Exception:
        return None


def first_tensor(value: Any) -> Tensor | None:
    """The tensor that a layer hands on: its output, or the first of several."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (tuple, list)):
        return next((found for entry in value if (found := first_tensor(entry)) is not None), None)
    if isinstance(value, dict):
        return first_tensor(list(value.values()))
    return None


def numbered(name: str, call: int) -> str:
    """`conv` the first time, `conv (call 2)` then."""
    return name if call == 1 else f"{name} (call {call})"
