"""ONNX files through onnxruntime: a session that is called with tensors, and the batch size that it was exported for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, describe_error

DTYPES = {"float": torch.float32, "double": torch.float64, "float16": torch.float16, "int64": torch.int64, "int32": torch.int32}


def load_session(path: Path) -> Any:
    """An onnxruntime session on the CPU. Raises ModelError if the file cannot be loaded."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("ONNX files need onnxruntime: pip install onnxruntime") from None
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"onnxruntime cannot load {path}: {describe_error(error)}") from None


def fixed_batch_of(session: Any) -> int | None:
    """The only batch size that the graph accepts; None if it accepts any."""
    shape = session.get_inputs()[0].shape
    return shape[0] if shape and isinstance(shape[0], int) else None


def session_function(session: Any) -> Callable[..., Tensor]:
    """f(x, ...) -> the first output of the graph; inputs are passed by position."""
    names = [entry.name for entry in session.get_inputs()]
    types = [entry.type for entry in session.get_inputs()]

    def function(*tensors: Tensor) -> Tensor:
        if len(tensors) != len(names):
            raise ModelError(f"the graph takes {len(names)} inputs ({', '.join(names)}), but {len(tensors)} were given")
        feeds = {name: to_numpy(tensor, kind) for name, tensor, kind in zip(names, tensors, types, strict=True)}
        return torch.from_numpy(session.run(None, feeds)[0])

    return function


def to_numpy(tensor: Tensor, kind: str) -> Any:
    """The tensor as a NumPy array of the graph's type: `tensor(float)`, `tensor(double)`, `tensor(int64)` ..."""
    dtype = DTYPES.get(kind.removeprefix("tensor(").removesuffix(")"))
    return (tensor if dtype is None else tensor.to(dtype)).contiguous().numpy()
