"""Where a symmetry is lost: the outputs of every layer for x and for g·x, compared in the order in which layers run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from erlangen.auditing.model import Model
from erlangen.auditing.tally import FLOOR, error_of
from erlangen.auditing.verdict import CONSTANT
from erlangen.records.audit import Breaks, LayerError

Align = Callable[[int, Tensor, Tensor], "tuple[Tensor, Tensor] | None"]  # place of an input, f(x), f(g·x) -> what to compare
MOST = 400  # entries kept of one call


@dataclass(frozen=True)
class Entry:
    """The output of one call of one layer for each input. `name` distinguishes the calls of a shared layer."""

    name: str
    kind: str
    outputs: list[Tensor]


class Recorder:
    """Hooks that record what goes into layers and what comes out of them.

    What reaches a layer without being the output of another one, for example after a function in some `forward`, is an entry of
    its own, `before NAME`: otherwise the layer would be blamed for it.
    """

    def __init__(self, model: Model, inputs: Sequence[Any], keep: slice) -> None:
        self.model, self.inputs, self.keep = model, inputs, keep
        self.entries: list[Entry] = []
        self.seen: dict[int, Tensor] = {}  # by id; keeping the tensor prevents its id from being reused
        self.calls: dict[str, int] = {}

    def add(self, name: str, kind: str, value: Any) -> None:
        """Records the tensor in `value`, unless it is known, holds indices, or its rows are not those of the inputs."""
        tensor = first_tensor(value)
        if (
            tensor is None
            or not (tensor.is_floating_point() or tensor.is_complex())
            or id(tensor) in self.seen
            or len(self.entries) >= MOST
        ):
            return
        self.seen[id(tensor)] = tensor
        split = split_by_input(self.model, tensor, self.inputs)
        if split is not None:
            self.entries.append(Entry(name, kind, [y.detach().to("cpu", copy=True) for y in split[self.keep]]))

    def hook(self, name: str, module: nn.Module) -> list[RemovableHandle]:
        """Watches one layer."""

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.calls[name] = self.calls.get(name, 0) + 1
            if self.entries:
                self.add(f"before {call_name(name, self.calls[name])}", "function", args or tuple(kwargs.values()))

        def after(module: nn.Module, args: Any, output: Any) -> None:
            self.add(call_name(name, self.calls.get(name, 1)), type(module).__name__, output)

        return [module.register_forward_pre_hook(before, with_kwargs=True), module.register_forward_hook(after)]


def record_layers(model: Model, inputs: Sequence[Any], keep: slice) -> list[Entry]:
    """The outputs of all layers in one call, for the inputs in `keep`."""
    assert model.module is not None
    recorder = Recorder(model, inputs, keep)
    handles = [handle for name, module in model.module.named_modules() if name for handle in recorder.hook(name, module)]
    try:
        final = model.once(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [*recorder.entries, Entry("output", type(model.module).__name__, final[keep])]


def locate(
    model: Model, expected: Sequence[Any], actual: Sequence[Any], align: Align, element: str, keep: int, start: int = 0
) -> Breaks | None:
    """All layers in running order, and the first on whose output g does not act, or whose error is above rounding.

    expected, actual: the inputs of two calls; the first `keep` of one are compared with `keep` of the other from `start` on. None
    if the model is not a torch module.
    """
    if model.module is None:
        return None
    entries = record_layers(model, expected, slice(keep))
    others = {entry.name: entry.outputs for entry in record_layers(model, actual, slice(start, start + keep))}
    rows = [compare_layer(model, entry, others[entry.name], align) for entry in entries if entry.name in others]
    culprit = next((row for row in rows if not row.exact and (row.error is not None or row.action == "no action")), None)
    if culprit is None:
        return Breaks(element=element, layers=tuple(rows), culprit=None, why="every layer keeps the symmetry")
    lost = (
        "its output cannot be compared, because g does not act on it"
        if culprit.error is None
        else f"error {culprit.error:.2g} of the spread of its output"
    )
    why = f"{culprit.layer} ({culprit.kind}, {' × '.join(map(str, culprit.shape))}): {lost}"
    return Breaks(element=element, layers=tuple(rows), culprit=culprit.layer, why=why)


def compare_layer(model: Model, entry: Entry, actual: Sequence[Tensor], align: Align) -> LayerError:
    """The error of one layer in units of its own spread."""
    row = LayerError(layer=entry.name, kind=entry.kind, shape=tuple(entry.outputs[0].shape), action="unknown", error=None)
    pairs = []
    for i, (y, y_g) in enumerate(zip(entry.outputs, actual, strict=True)):
        try:
            aligned = align(i, y, y_g)
        except Exception:
            return row
        if aligned is None:
            return replace(row, action="no action")
        if aligned[0].shape != aligned[1].shape or not aligned[0].is_floating_point():
            return row
        pairs.append((model.rows(aligned[0]).double(), model.rows(aligned[1]).double()))
    outputs = torch.cat([y for y, _ in pairs])  # (S, D)
    rms = float(outputs.square().mean().sqrt())
    spread = float((outputs - outputs.mean(0)).square().mean().sqrt())
    errors = [error_of(y, y_g) for y, y_g in pairs]
    worst, mean = max(errors), sum(errors) / len(errors)
    if math.isnan(worst):
        return replace(row, action="not finite")
    unit = spread if spread > CONSTANT * model.eps * rms else rms
    row = replace(
        row, action="invariant" if entry.outputs[0].ndim == 1 else "moves along", exact=worst <= FLOOR * model.eps * rms
    )
    return replace(row, error=mean / unit if unit > 0 else (0.0 if worst == 0 else math.inf))


def split_by_input(model: Model, tensor: Tensor, inputs: Sequence[Any]) -> list[Tensor] | None:
    """A layer's output, one tensor per input; None if its rows belong to something else: edges, heads or windows."""
    try:
        return model.adapter.split(tensor, inputs)
    except Exception:
        return None


def first_tensor(value: Any) -> Tensor | None:
    """The tensor that a layer returns, or the first of several."""
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    return next((tensor for part in parts if (tensor := first_tensor(part)) is not None), None)


def call_name(name: str, call: int) -> str:
    """`conv` for the first call, then `conv (call 2)`."""
    return name if call == 1 else f"{name} (call {call})"
