"""Runs a function in float64 throughout, whatever dtypes its code names: each operation is rewritten as it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass

from erlangen.auditing.model import map_tensors
from erlangen.errors import ErlangenError

HIGH = dict.fromkeys((torch.float32, torch.float16, torch.bfloat16), torch.float64)
HIGH |= dict.fromkeys((torch.complex64, torch.complex32), torch.complex128)
LARGEST = torch.finfo(torch.float32).max
MAKERS = (torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor)  # round to their dtype before any operation runs
EXITS = (Tensor.numpy, Tensor.__array__, Tensor.tolist, Tensor.__dlpack__)  # what happens to these numbers is out of sight


class NoTwinError(ErlangenError):
    """Why a model has no float64 twin, in one line."""


@dataclasses.dataclass(frozen=True)
class DoubleCall:
    """f in float64. originals: storages of the module that was copied, which f must not use."""

    function: Callable[..., Any]
    originals: frozenset[int] = frozenset()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = map_tensors(args, to_high), map_tensors(kwargs, to_high)
        rewriter = Rewriter()
        with float64_defaults(), Border(rewriter), rewriter:
            output = self.function(*args, **kwargs)
        if rewriter.faults:
            raise NoTwinError(rewriter.faults[0])
        if any(storage in self.originals for storage, _ in rewriter.shadows):
            raise NoTwinError("its function reaches the module in a way that a copy cannot follow: pass the module itself")
        return rewriter.rewrite(output) if isinstance(output, Tensor) else output


class Rewriter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own lack of types
    """Rewrites each operation as it runs: named dtypes become float64, and so do operands of lower precision.

    An operand of low precision was made elsewhere: a constant in a closure, or a field of a graph. For the rest of the call, it
    gets a *shadow*, a float64 copy of its whole storage: views see what is written in place, and the constant stays unchanged.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.faults: list[str] = []
        self.shadows: dict[tuple[int, torch.dtype], tuple[Tensor, Tensor]] = {}  # keeps the tensor, or its address is reused
        self.escaped = ""  # the first operation by which computed numbers left torch

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.view.dtype and any(dtype.is_floating_point for dtype in (args[0].dtype, args[1])):
            self.faults.append("it reads the bits of floating-point numbers (Tensor.view(dtype)), which differ in float64")
        args = [self.rewrite(value) for value in args]
        if func is torch.ops.aten.lift_fresh.default and args[0].is_floating_point():  # a constant in the code
            args[0] = args[0].where(~args[0].isfinite(), args[0].clamp(-LARGEST, LARGEST))
        output = func(*args, **{name: self.rewrite(value) for name, value in (kwargs or {}).items()})
        for tensor in output if isinstance(output, (tuple, list)) else (output,):
            if isinstance(tensor, Tensor) and (is_low(tensor.dtype) or tensor.is_quantized):
                self.faults.append(f"{func} returns {tensor.dtype} for operands in float64")
        return output

    def rewrite(self, value: Any) -> Any:
        """An argument as it is in float64."""
        if isinstance(value, Tensor):
            return self.shadow(value) if value.dtype in HIGH else value
        if isinstance(value, torch.dtype):
            return HIGH.get(value, value)
        if type(value) is float and LARGEST < abs(value) < float("inf"):  # finfo(float64).min: twice of it would be -inf
            return LARGEST if value > 0 else -LARGEST
        if isinstance(value, (list, tuple)):
            return type(value)(self.rewrite(entry) for entry in value)
        return value

    def shadow(self, tensor: Tensor) -> Tensor:
        """The same view of the tensor's storage, in float64."""
        if is_traceable_wrapper_subclass(tensor) or tensor.is_conj() or tensor.is_neg():
            self.faults.append(f"it computes with a {type(tensor).__name__} of {tensor.dtype} that has no plain storage")
            return tensor
        key = storage_of(tensor), tensor.dtype
        if key not in self.shadows:
            if self.escaped:
                self.faults.append(f"its numbers leave torch by {self.escaped} and come back as {tensor.dtype}")
            plain = tensor.layout is torch.strided
            whole = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(tensor.untyped_storage()) if plain else tensor
            self.shadows[key] = tensor, whole.detach().to(HIGH[tensor.dtype])
        whole = self.shadows[key][1]
        strides = tensor.shape, tensor.stride(), tensor.storage_offset()
        return whole.as_strided(*strides) if whole.layout is torch.strided else whole


class Border(TorchFunctionMode):
    """Watches what no operation shows: numbers that leave torch, and constants that are rounded as they are made."""

    def __init__(self, rewriter: Rewriter) -> None:
        super().__init__()
        self.rewriter = rewriter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in EXITS and args[0].dtype in HIGH.values():  # constants of low precision may leave: they were not computed
            self.rewriter.escaped = self.rewriter.escaped or f"Tensor.{func.__name__}"
        elif func in MAKERS and not has_low_numpy(args):
            args = tuple(HIGH.get(value, value) if isinstance(value, torch.dtype) else value for value in args)
            kwargs = {name: HIGH.get(value, value) if name == "dtype" else value for name, value in kwargs.items()}
        return func(*args, **kwargs)


def has_low_numpy(args: Sequence[Any]) -> bool:
    """Whether NumPy numbers of low precision are among the arguments: labeling them float64 would hide their rounding."""
    high = (np.float64, np.complex128)
    return any(isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fc" and x.dtype not in high for x in args)


def is_low(dtype: torch.dtype) -> bool:
    """Whether a dtype has less precision than float64."""
    return (dtype.is_floating_point or dtype.is_complex) and dtype not in (torch.float64, torch.complex128)


def to_high(value: Any) -> Any:
    """A tensor of low precision in float64; anything else unchanged."""
    return value.to(HIGH[value.dtype]) if isinstance(value, Tensor) and value.dtype in HIGH else value


def storage_of(tensor: Tensor) -> int:
    """Identifies what views of one another share; a sparse tensor shares nothing."""
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


@contextmanager
def float64_defaults() -> Iterator[None]:
    """float64 if no dtype is named, and compiled code run eagerly, since a compiled kernel cannot be rewritten."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        torch.set_default_dtype(before)
