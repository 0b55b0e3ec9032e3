"""A true float64 twin of a model: every operation of a call computed in double precision, whatever dtypes its code names.

`module.double()` is none: a float32 named in forward (`x.float()`, a rotary table, softmax(dtype=...)) rounds answers to 1e-7,
and masks filled with `finfo(dtype).min` overflow once two of them are added. So the operations themselves are rewritten.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass

from erlangen.auditing.model import Model, map_tensors
from erlangen.errors import ErlangenError

HIGH = dict.fromkeys((torch.float32, torch.float16, torch.bfloat16), torch.float64)
HIGH |= dict.fromkeys((torch.complex64, torch.complex32), torch.complex128)
LARGEST = torch.finfo(torch.float32).max
MAKERS = (torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor)  # round to their dtype before any operation runs
EXITS = (Tensor.numpy, Tensor.__array__, Tensor.tolist, Tensor.__dlpack__)  # what is done with these numbers, nobody sees


class NoTwinError(ErlangenError):
    """Why a model has no float64 twin, in one line."""


def twin_of(model: Model) -> Model:
    """A copy of the model that computes in float64 throughout; the model itself, its buffers included, is never changed.

    Raises NoTwinError where there is none. Whether the twin is one shows only when it is called: see `verify`. Each of its calls
    raises NoTwinError where anything was computed in less. Constants keep the rounding they were stored with.
    """
    module = model.module
    if module is None:
        raise NoTwinError("there is no torch module behind it to copy")
    if model.device.type == "mps":
        raise NoTwinError("its device, mps, has no float64")
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise NoTwinError(f"{name or 'the model'} is TorchScript, whose compiled code keeps its own dtypes")
        if ".quantized." in f"{type(part).__module__}.":
            raise NoTwinError(f"{name or 'the model'} is quantized ({type(part).__name__})")
    memo: dict[int, Any] = {}
    for part in module.modules():  # results kept from a training step: deepcopy refuses tensors with a history
        for value in vars(part).values():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                memo[id(value)] = value.detach().clone()
    try:
        module_copy = copy.deepcopy(module, memo).double()
        for part in module_copy.modules():
            for name, value in list(vars(part).items()):
                vars(part)[name] = relocated(raised(value), memo) if isinstance(value, (Tensor, types.FunctionType)) else value
        function = relocated(model.function, memo)
    except Exception as error:
        raise NoTwinError(f"it cannot be copied in float64: {in_words(error)}") from error
    call = DoubleCall(function, frozenset(storage_of(tensor) for tensor in (*module.parameters(), *module.buffers())))
    return dataclasses.replace(model, function=call, module=module_copy, eps=torch.finfo(torch.float64).eps)


def verify(twin: Model, model: Model, inputs: Sequence[Any], outputs: Sequence[Tensor] | None = None) -> None:
    """Calls the twin on these few inputs and raises NoTwinError unless every answer is finite, float64 and the model's own.

    Its own: RMS(y₆₄ - y) ≤ (1e-2 + 32·eps)·RMS(y), eps that of the model: rounding may add up, a coarse difference is another
    function (a random one, one that keeps state, or one that jumps). outputs: what the model gave for them, where at hand.
    """
    outputs = model(inputs) if outputs is None else outputs
    try:
        answers = twin(inputs)
    except NoTwinError:
        raise
    except Exception as error:
        raise NoTwinError(f"it fails in float64: {in_words(error)}") from error
    for index, (answer, output) in enumerate(zip(answers, outputs, strict=True)):
        if answer.shape != output.shape:
            raise NoTwinError(f"the twin gave {tuple(answer.shape)} for input {index}, the model {tuple(output.shape)}")
        if answer.dtype in HIGH:
            raise NoTwinError(f"its answer is {answer.dtype} even so")
        if not answer.isfinite().all():
            raise NoTwinError(f"the twin's answer to input {index} is not finite")
    wide = torch.complex128 if any(tensor.is_complex() for tensor in answers) else torch.float64
    exact, given = (torch.cat([tensor.to(wide).flatten() for tensor in group]) for group in (answers, outputs))
    difference, size = (float(tensor.abs().square().mean().sqrt()) for tensor in (exact - given, given))
    if not difference <= (1e-2 + 32 * model.eps) * size:
        raise NoTwinError(f"the twin disagrees with the model by {difference / size if size else difference:.2g} of its RMS")


@dataclasses.dataclass(frozen=True)
class DoubleCall:
    """f in float64. originals: storages of the module that was copied, which f has no business with."""

    function: Callable[..., Any]
    originals: frozenset[int] = frozenset()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = map_tensors(args, raised), map_tensors(kwargs, raised)
        rewriter = Rewriter()
        with defaults(), Border(rewriter), rewriter:
            output = self.function(*args, **kwargs)
        if rewriter.faults:
            raise NoTwinError(rewriter.faults[0])
        if any(storage in self.originals for storage, _ in rewriter.shadows):
            raise NoTwinError("its function calls the module by a way that a copy cannot follow: pass the module itself")
        return rewriter.rewritten(output) if isinstance(output, Tensor) else output


class Rewriter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own lack of types
    """Rewrites each operation as it runs: named dtypes become float64, and so do the operands that are not.

    An operand of low precision was made elsewhere: a constant in a closure, a field of a graph. It gets a *shadow*, its whole
    storage in float64 for the rest of the call, so that views see what was written in place, and the constant stays as it was.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.faults: list[str] = []
        self.shadows: dict[tuple[int, torch.dtype], tuple[Tensor, Tensor]] = {}  # the tensor too: else its address is used again
        self.escaped = ""  # the first way by which computed numbers left torch

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.view.dtype and any(dtype.is_floating_point for dtype in (args[0].dtype, args[1])):
            self.faults.append("it reads the bits of floating numbers (Tensor.view(dtype)), and those of float64 are others")
        args = [self.rewritten(value) for value in args]
        if func is torch.ops.aten.lift_fresh.default and args[0].is_floating_point():  # a constant that was just written down
            args[0] = args[0].where(~args[0].isfinite(), args[0].clamp(-LARGEST, LARGEST))
        output = func(*args, **{name: self.rewritten(value) for name, value in (kwargs or {}).items()})
        for tensor in output if isinstance(output, (tuple, list)) else (output,):
            if isinstance(tensor, Tensor) and (is_low(tensor.dtype) or tensor.is_quantized):
                self.faults.append(f"{func} gives {tensor.dtype} even so")
        return output

    def rewritten(self, value: Any) -> Any:
        """An argument as float64 has it."""
        if isinstance(value, Tensor):
            return self.shadow(value) if value.dtype in HIGH else value
        if isinstance(value, torch.dtype):
            return HIGH.get(value, value)
        if type(value) is float and LARGEST < abs(value) < float("inf"):  # finfo(float64).min: twice of it would be -inf
            return LARGEST if value > 0 else -LARGEST
        if isinstance(value, (list, tuple)):
            return type(value)(self.rewritten(entry) for entry in value)
        return value

    def shadow(self, tensor: Tensor) -> Tensor:
        """The same view of the tensor's storage, in float64."""
        if is_traceable_wrapper_subclass(tensor) or tensor.is_conj() or tensor.is_neg():
            self.faults.append(
                f"it computes with a {type(tensor).__name__} of {tensor.dtype}, which has no plain storage to convert"
            )
            return tensor
        key = storage_of(tensor), tensor.dtype
        if key not in self.shadows:
            if self.escaped:
                self.faults.append(f"its numbers leave torch by {self.escaped} and come back as {tensor.dtype}")
            plain = tensor.layout is torch.strided
            whole = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(tensor.untyped_storage()) if plain else tensor
            self.shadows[key] = tensor, whole.detach().to(HIGH[tensor.dtype])
        whole = self.shadows[key][1]
        return (
            whole.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()) if whole.layout is torch.strided else whole
        )


class Border(TorchFunctionMode):
    """What no operation shows: numbers that leave torch, and constants rounded while they are written down."""

    def __init__(self, rewriter: Rewriter) -> None:
        super().__init__()
        self.rewriter = rewriter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in EXITS and args[0].dtype in HIGH.values():  # a constant of low precision may leave: nothing was computed
            self.rewriter.escaped = self.rewriter.escaped or f"Tensor.{func.__name__}"
        elif func in MAKERS and not rounded(args):
            args = tuple(HIGH.get(value, value) if isinstance(value, torch.dtype) else value for value in args)
            kwargs = {name: HIGH.get(value, value) if name == "dtype" else value for name, value in kwargs.items()}
        return func(*args, **kwargs)


def rounded(args: Sequence[Any]) -> bool:
    """Whether NumPy numbers of low precision are being turned into a tensor: a float64 label would hide that they are."""
    return any(isinstance(value, (np.ndarray, np.generic)) and is_low_numpy(value.dtype) for value in args)


def is_low_numpy(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "fc" and dtype not in (np.float64, np.complex128)


def is_low(dtype: torch.dtype) -> bool:
    return (dtype.is_floating_point or dtype.is_complex) and dtype not in (torch.float64, torch.complex128)


def raised(value: Any) -> Any:
    """A tensor of low precision in float64; all else as it is."""
    return value.to(HIGH[value.dtype]) if isinstance(value, Tensor) and value.dtype in HIGH else value


def storage_of(tensor: Tensor) -> int:
    """What tensors share that are views of one another; a sparse tensor shares nothing."""
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


def relocated(value: Any, memo: dict[int, Any]) -> Any:
    """The value with every module that `memo` has a copy of replaced by that copy. deepcopy takes a function to hold nothing."""
    if isinstance(value, functools.partial):
        args, named = copy.deepcopy((value.args, value.keywords), memo)
        return functools.partial(relocated(value.func, memo), *args, **named)
    if not isinstance(value, types.FunctionType):
        return copy.deepcopy(value, memo)
    if id(value) in memo:
        return memo[id(value)]
    used = {name: value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__}
    changed = {name: memo[id(held)] for name, held in used.items() if isinstance(held, nn.Module) and id(held) in memo}
    if not changed and not value.__closure__ and not value.__defaults__ and not value.__kwdefaults__:
        return value
    cells = tuple(types.CellType() for _ in value.__closure__ or ())
    scope = {**value.__globals__, **changed} if changed else value.__globals__
    moved = types.FunctionType(value.__code__, scope, value.__name__, None, cells)
    memo[id(value)] = moved  # first: a function may call itself
    for cell, old in zip(cells, value.__closure__ or (), strict=True):
        try:
            held = old.cell_contents
        except ValueError:  # not yet filled
            continue
        cell.cell_contents = held if isinstance(held, (Tensor, types.ModuleType, type)) else relocated(held, memo)
    moved.__defaults__, moved.__kwdefaults__ = copy.deepcopy((value.__defaults__, value.__kwdefaults__), memo)
    return moved


@contextmanager
def defaults() -> Iterator[None]:
    """float64 wherever no dtype is named, and compiled code run as it was written: a compiled kernel cannot be rewritten."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        torch.set_default_dtype(before)


def in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]
