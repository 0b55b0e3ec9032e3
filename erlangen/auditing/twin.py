"""A true float64 twin of a model: every operation of a call is computed in double precision, whatever dtypes its code names.

`module.double()` is not enough: a float32 named in forward (`x.float()`, a rotary table, softmax(dtype=...)) rounds outputs to
1e-7, and masks filled with `finfo(dtype).min` overflow when two of them are added. So the operations themselves are rewritten.
"""

from __future__ import annotations

import copy
import functools
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.auditing.calling import describe_error
from erlangen.auditing.exported import unguarded
from erlangen.auditing.inputs import to_double
from erlangen.auditing.model import Model
from erlangen.auditing.rewriter import HIGH, DoubleCall, NoTwinError, storage_of, to_high
from erlangen.auditing.shared_calls import part_name, sharing, split_model, unshared
from erlangen.auditing.state import quiet
from erlangen.auditing.tally import FLOOR, error_of, with_contrasts


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What exactness is decided on. model: None if there is no twin, or none is needed; words: which, and why, for the record.

    inputs: all inputs in float64. outputs: of the few inputs that the twin was verified on. noise: the largest rounding error of
    the model's own outputs for these, in units of RMS(y); column_noise (2D,): their RMS in each column and contrast.
    """

    words: str
    model: Model | None = None
    inputs: Sequence[Any] = ()
    outputs: Mapping[int, Tensor] = field(default_factory=dict)
    noise: float = 0.0
    column_noise: Tensor | None = None


def make_twins(
    models: Sequence[Model], inputs: Sequence[Any], outputs: Sequence[Sequence[Tensor]], few: Sequence[int], seed: int
) -> list[Twin]:
    """The verified twin for each output of a model, or why there is none: one copy of the model serves them all.

    models: the model itself, for each of its outputs. outputs: of each on all inputs; few: the inputs to verify on.
    """
    doubled = [to_double(x) for x in inputs]
    try:
        with quiet(seed):
            copied = twin_of(unshared(models[0]))
    except NoTwinError as error:
        return [no_twin(model, error) for model in models]
    twins = [copied] if len(models) == 1 else split_model(copied, [part_name(model) for model in models])
    with sharing([part.function for part in (*models, *twins)]):
        return [
            make_twin(model, replace(twin, adapter=model.adapter, select=model.select), inputs, doubled, answers, few, seed)
            for model, twin, answers in zip(models, twins, outputs, strict=True)
        ]


def make_twin(
    model: Model,
    twin: Model,
    inputs: Sequence[Any],
    doubled: Sequence[Any],
    outputs: Sequence[Tensor],
    few: Sequence[int],
    seed: int,
) -> Twin:
    """The twin, verified on the few inputs, or why it is none."""
    is_double = model.eps < 1e-15  # judged by its outputs: inside, it may still compute in lower precision
    try:
        with quiet(seed):
            given = model([inputs[i] for i in few])  # both in one batch of these few
            answers = verify(twin, model, [doubled[i] for i in few], given)
    except NoTwinError as error:
        return no_twin(model, error)
    if is_double and all(is_rounding(y, outputs[i], model.eps) for i, y in zip(few, answers, strict=True)):
        return Twin(words="the model is in float64 itself")
    noise, columns = rounding_noise(model, answers, given)
    exact = dict(zip(few, answers, strict=True))
    return Twin(words="float64", model=twin, inputs=doubled, outputs=exact, noise=noise, column_noise=columns)


def no_twin(model: Model, error: NoTwinError) -> Twin:
    return Twin(words="the model is in float64 itself" if model.eps < 1e-15 else f"none: {error}")


def rounding_noise(model: Model, answers: Sequence[Tensor], given: Sequence[Tensor]) -> tuple[float, Tensor | None]:
    """The largest difference between the outputs of a model and those of its twin, in units of their RMS; and its RMS by column.

    (0, None) for classes.
    """
    if not given[0].is_floating_point() and not given[0].is_complex():
        return 0.0, None
    rows = [(model.rows(answer), model.rows(y).double()) for answer, y in zip(answers, given, strict=True)]
    size = math.sqrt(sum(float(exact.square().sum()) for exact, _ in rows) / sum(exact.numel() for exact, _ in rows))
    columns = with_contrasts(torch.cat([y - exact for exact, y in rows])).square().mean(0).sqrt()  # (2D,)
    return max(error_of(exact, y) for exact, y in rows) / size if size > 0 else 0.0, columns


def is_rounding(answer: Tensor, output: Tensor, eps: float) -> bool:
    """Whether two outputs differ by no more than rounding may add up to."""
    if answer.shape != output.shape:  # detections, of which there may be more in a larger batch
        return False
    if not answer.is_floating_point() and not answer.is_complex():
        return torch.equal(answer, output)
    return torch.allclose(answer, output, rtol=0, atol=FLOOR * eps * float(answer.abs().square().mean().sqrt()))


def twin_of(model: Model) -> Model:
    """A copy of the model that computes in float64 throughout. The model itself, buffers included, is never changed.

    Raises NoTwinError if there cannot be one. Some faults show only when the twin is called (see `verify`): each call raises
    NoTwinError if anything in it was computed in lower precision. Constants keep the rounding that they were stored with.
    """
    module = model.module
    if module is None:
        raise NoTwinError("there is no torch module to copy")
    if model.device.type == "mps":
        raise NoTwinError("its device, mps, has no float64")
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise NoTwinError(f"{name or 'the model'} is TorchScript, whose compiled code keeps its own dtypes")
        if ".quantized." in f"{type(part).__module__}.":
            raise NoTwinError(f"{name or 'the model'} is quantized ({type(part).__name__})")
    memo: dict[int, Any] = {**unguarded(module)}
    for part in module.modules():  # results kept from a training step: deepcopy refuses tensors with a gradient history
        for value in vars(part).values():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                memo[id(value)] = value.detach().clone()
    try:
        module_copy = copy.deepcopy(module, memo).double()
        for part in module_copy.modules():
            for name, value in list(vars(part).items()):
                vars(part)[name] = rebind(to_high(value), memo) if isinstance(value, (Tensor, types.FunctionType)) else value
        function = rebind(model.function, memo)
    except Exception as error:
        raise NoTwinError(f"it cannot be copied in float64: {describe_error(error)}") from error
    call = DoubleCall(function, frozenset(storage_of(tensor) for tensor in (*module.parameters(), *module.buffers())))
    return replace(model, function=call, module=module_copy, eps=torch.finfo(torch.float64).eps)


def verify(twin: Model, model: Model, inputs: Sequence[Any], outputs: Sequence[Tensor] | None = None) -> list[Tensor]:
    """The twin's outputs. Raises NoTwinError unless they are finite, in float64, and agree with the model's.

    They agree if RMS(y₆₄ - y) ≤ (1e-2 + 32·eps)·RMS(y), eps that of the model. Rounding may add up to that; a larger difference
    means another function: one that is random, keeps state, or jumps. outputs: the model's outputs, if already known.
    """
    outputs = model(inputs) if outputs is None else outputs
    if not all(output.isfinite().all() for output in outputs):
        raise NoTwinError("the output of the model itself is not finite")
    try:
        answers = twin(inputs)
    except NoTwinError:
        raise
    except Exception as error:
        raise NoTwinError(f"it fails in float64: {describe_error(error)}") from error
    for index, (answer, output) in enumerate(zip(answers, outputs, strict=True)):
        if answer.shape != output.shape:
            raise NoTwinError(f"the twin returned {tuple(answer.shape)} for input {index}, the model {tuple(output.shape)}")
        if answer.dtype in HIGH:
            raise NoTwinError(f"its output is {answer.dtype} even so")
        if not answer.isfinite().all():
            raise NoTwinError(f"the twin's output for input {index} is not finite")
    wide = torch.complex128 if any(tensor.is_complex() for tensor in answers) else torch.float64
    exact, given = (torch.cat([tensor.to(wide).flatten() for tensor in group]) for group in (answers, outputs))
    difference, size = (float(tensor.abs().square().mean().sqrt()) for tensor in (exact - given, given))
    if not difference <= (1e-2 + 32 * model.eps) * size:
        raise NoTwinError(f"the twin disagrees with the model by {difference / size if size else difference:.2g} of its RMS")
    return answers


def rebind(value: Any, memo: dict[int, Any]) -> Any:
    """A copy of the value that refers to the copies in `memo` of modules: deepcopy alone treats functions as constants."""
    if isinstance(value, functools.partial):
        args, named = copy.deepcopy((value.args, value.keywords), memo)
        return functools.partial(rebind(value.func, memo), *args, **named)
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
    bound = types.FunctionType(value.__code__, scope, value.__name__, None, cells)
    memo[id(value)] = bound  # first, since a function may call itself
    for cell, old in zip(cells, value.__closure__ or (), strict=True):
        try:
            held = old.cell_contents
        except ValueError:  # not yet filled
            continue
        cell.cell_contents = held if isinstance(held, (Tensor, types.ModuleType, type)) else rebind(held, memo)
    bound.__defaults__, bound.__kwdefaults__ = copy.deepcopy((value.__defaults__, value.__kwdefaults__), memo)
    return bound
