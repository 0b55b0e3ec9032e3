"""ONNX files through onnxruntime: a graph that is called with tensors by position or by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, describe_error
from erlangen.auditing.part import NamedOutputs, named_outputs
from erlangen.auditing.spelling import option

DTYPES = {
    "float": torch.float32, "double": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16, "bool": torch.bool,
    "int64": torch.int64, "int32": torch.int32, "int16": torch.int16, "int8": torch.int8,
    "uint64": torch.uint64, "uint32": torch.uint32, "uint16": torch.uint16, "uint8": torch.uint8,
}  # fmt: skip
RETURNED = ("{}n", "{}_n", "{}N", "{}_out", "{}_output", "new_{}", "next_{}", "out_{}", "{}_next", "{}_new", "{}.1")


def load_session(path: Path) -> Any:
    """An onnxruntime session on the CPU. Raises ModelError if the file cannot be loaded."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("ONNX files need onnxruntime: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is reported by the audit, once
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"onnxruntime cannot load {path}: {describe_error(error)}") from None


def is_session(model: Any) -> bool:
    """Whether a model is an onnxruntime session, or looks like one."""
    return hasattr(model, "get_inputs") and hasattr(model, "run")


def fixed_batch_of(session: Any) -> int | None:
    """The only batch size that the graph accepts; None if it accepts any."""
    shape = session.get_inputs()[0].shape
    return shape[0] if shape and isinstance(shape[0], int) else None


@dataclass(frozen=True)
class GraphFunction:
    """f(x, ...) -> the outputs of an ONNX graph, apart from those that return a state.

    arguments: values of inputs by name, or `ones` or `zeros` in the input's own shape. state: input -> output; every call starts
    with states of zeros, unless one is given as an argument. All other inputs are given by position, in the order of the graph,
    or by name.
    """

    session: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs of the graph by name, each with its `shape` and `type`."""
        return {entry.name: entry for entry in self.session.get_inputs()}

    @property
    def given(self) -> list[str]:
        """The inputs that every call must be given, in the order of the graph."""
        return [name for name in self.inputs if name not in self.arguments and name not in self.state]

    @property
    def __signature__(self) -> inspect.Signature:
        """So that the names of the graph's inputs are found as those of a function's arguments are."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        optional = {name for name in self.inputs if name not in self.given}
        names = [name for name in (*self.given, *optional) if name.isidentifier()]
        return inspect.Signature(
            [inspect.Parameter(name, kind, default=None if name in optional else inspect.Parameter.empty) for name in names]
        )

    def __call__(self, *tensors: Tensor, **named: Tensor) -> Tensor | NamedOutputs:
        """Raises ModelError, which lists the inputs, if one is missing or there are too many."""
        free = [name for name in self.given if name not in named]
        if len(tensors) != len(free):
            listed = ", ".join(f"{name} {self.inputs[name].shape}" for name in self.inputs)
            raise ModelError(
                f"the graph takes {len(free)} inputs here, but {len(tensors)} were given; its inputs are {listed}: give a "
                f"constant with {option('argument', 'NAME=VALUE', python='arguments={NAME: VALUE}')}, "
                f"and name a state with {option('state', 'IN=OUT', python='state={IN: OUT}')}"
            )
        feeds: dict[str, Any] = {**dict(zip(free, tensors, strict=True)), **named}
        sizes = self.sizes(feeds)
        filled = {**dict.fromkeys(self.state, "zeros"), **self.arguments}
        feeds |= {name: self.fill(name, value, sizes, feeds) for name, value in filled.items() if name not in feeds}
        arrays = {name: to_numpy(tensor, self.inputs[name].type) for name, tensor in feeds.items() if name in self.inputs}
        outputs = [entry.name for entry in self.session.get_outputs()]
        returned = {*self.state.values(), *matching_states(list(self.arguments), outputs).values()}
        names = [name for name in outputs if name not in returned] or outputs
        return named_outputs(dict(zip(names, map(torch.as_tensor, self.session.run(names, arrays)), strict=True)))

    def sizes(self, feeds: Mapping[str, Tensor]) -> dict[str, int]:
        """The sizes of the graph's named axes in one call."""
        sizes: dict[str, int] = {}
        for name, tensor in feeds.items():
            axes = self.inputs[name].shape if name in self.inputs else ()
            sizes |= {axis: size for axis, size in zip(axes, tensor.shape, strict=False) if isinstance(axis, str)}
        return sizes

    def fill(self, name: str, value: Any, sizes: Mapping[str, int], feeds: Mapping[str, Any]) -> Tensor:
        """A constant in the shape of its input: ones, zeros, or the value, repeated if it is a single number."""
        main = feeds.get(self.given[0]) if self.given else None
        batch = len(main) if isinstance(main, Tensor) and main.ndim else 1  # for axes without a name, such as a state's
        shape = [axis if isinstance(axis, int) else sizes.get(axis, batch) for axis in self.inputs[name].shape]
        if isinstance(value, str) and value in ("ones", "zeros"):
            return torch.full(shape, float(value == "ones"))
        constant = torch.as_tensor(value)
        return constant.expand(shape) if constant.ndim == 0 else constant


def session_function(
    session: Any, arguments: Mapping[str, Any] | None = None, state: Mapping[str, str] | None = None
) -> GraphFunction:
    """The graph as a function. States are found by their names if none are given: h and hn, state and stateN, x_in and x_out.

    Raises ModelError for names that the graph does not have.
    """
    inputs, outputs = ([entry.name for entry in entries] for entries in (session.get_inputs(), session.get_outputs()))
    for names, known in ((arguments or {}, inputs), (state or {}, inputs), ((state or {}).values(), outputs)):
        for name in names:
            if name not in known:
                kind = "input" if known is inputs else "output"
                raise ModelError(f"the graph has no {kind} {name!r}; it has {', '.join(known)}")
    free = [name for name in inputs[1:] if name not in (arguments or {})]
    return GraphFunction(session, dict(arguments or {}), dict(state or matching_states(free, outputs)))


def matching_states(inputs: list[str], outputs: list[str]) -> dict[str, str]:
    """Inputs whose name, as states are called, is also that of an output."""
    pairs = {}
    for name in inputs:
        stem = name.removesuffix("0").removesuffix("_in").removesuffix("_input")
        swapped = [name.replace(*words) for words in (("in", "out"), ("past_key_values", "present"), ("past", "present"))]
        names = [name, *(form.format(stem.rstrip("_")) for form in RETURNED), *swapped]
        match = next((output for output in names if output in outputs and not (output == name and len(outputs) == 1)), None)
        if match is not None:
            pairs[name] = match
    return pairs


def to_numpy(tensor: Tensor, kind: str) -> Any:
    """The tensor as a NumPy array of the graph's type: `tensor(float)`, `tensor(int64)` ...

    For a graph of bytes, pixels in [0, 1] become 0 to 255: the opposite of how images of bytes are read.
    """
    dtype = DTYPES.get(kind.removeprefix("tensor(").removesuffix(")"))
    if dtype is torch.uint8 and tensor.is_floating_point():
        tensor = (tensor * 255).round().clamp(0, 255)
    elif dtype is not None and not dtype.is_floating_point and tensor.is_floating_point():
        tensor = tensor.round()
    return (tensor if dtype is None else tensor.to(dtype)).contiguous().numpy()
