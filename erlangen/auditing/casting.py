"""The floating-point dtype that a model computes in, and inputs converted to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from erlangen.auditing.onnx import DTYPES, is_session
from erlangen.symmetries.leaves import floating, map_floating


def dtype_of(model: Any) -> torch.dtype | None:
    """The dtype of a module's parameters, or of its buffers; of an ONNX graph's first input. None if none is floating-point."""
    if is_session(model):
        kind = model.get_inputs()[0].type.removeprefix("tensor(").removesuffix(")")
        dtype = DTYPES.get(kind)
        return dtype if dtype is not None and dtype.is_floating_point else None
    if not isinstance(model, torch.nn.Module):
        return None
    dtypes = [tensor.dtype for tensor in (*model.parameters(), *model.buffers()) if tensor.is_floating_point()]
    return dtypes[0] if dtypes else None


def cast_inputs(inputs: Sequence[Any], model: Any) -> tuple[list[Any], str]:
    """The inputs with their floating-point numbers in the model's dtype, and a sentence about it, '' if nothing was converted."""
    dtype = dtype_of(model)
    others = {tensor.dtype for x in inputs for tensor in floating(x)} - {dtype}
    if dtype is None or not others:
        return list(inputs), ""
    names = [str(kind).removeprefix("torch.") for kind in (*sorted(others, key=str), dtype)]
    note = f"The inputs were {' and '.join(names[:-1])} and were converted to {names[-1]}, the dtype of the model."
    return [map_floating(x, lambda tensor: tensor.to(dtype)) for x in inputs], note
