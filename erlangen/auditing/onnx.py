"""ONNX files through onnxruntime: a session called with tensors, and the batch that it was exported for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.model import ModelError
from erlangen.auditing.symmetry_check import in_words


def load_session(path: Path) -> Any:
    """An onnxruntime session on the CPU. Raises ModelError where there is no such file, or it cannot be run."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError("ONNX files are run by onnxruntime: pip install onnxruntime") from None
    if not path.is_file():
        raise ModelError(f"no file {path}")
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{path} is no model that onnxruntime can run: {in_words(error)}") from None


def batch_of(session: Any) -> int | None:
    """The one batch size that the graph takes; None where it was exported to take any."""
    shape = session.get_inputs()[0].shape
    return shape[0] if shape and isinstance(shape[0], int) else None


def session_function(session: Any) -> Callable[..., Tensor]:
    """f(x, ...) of a session: inputs by their places, the first output."""
    names = [entry.name for entry in session.get_inputs()]
    types = [entry.type for entry in session.get_inputs()]

    def function(*tensors: Tensor) -> Tensor:
        if len(tensors) != len(names):
            raise ModelError(f"the graph takes {len(names)} inputs ({', '.join(names)}), and got {len(tensors)}")
        fed = {name: cast(tensor, kind) for name, tensor, kind in zip(names, tensors, types, strict=True)}
        return torch.from_numpy(session.run(None, fed)[0])

    return function


def cast(tensor: Tensor, kind: str) -> Any:
    """As NumPy, in the type the graph was exported for: 'tensor(float)', 'tensor(double)', 'tensor(int64)' ..."""
    dtypes = {
        "float": torch.float32,
        "double": torch.float64,
        "float16": torch.float16,
        "int64": torch.int64,
        "int32": torch.int32,
    }
    wanted = dtypes.get(kind.removeprefix("tensor(").removesuffix(")"))
    return (tensor if wanted is None else tensor.to(wanted)).contiguous().numpy()
