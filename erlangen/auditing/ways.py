"""How a model can be called: the first way that works on one input, and whether it takes several inputs at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from textwrap import shorten
from typing import Any

from torch import Tensor

from erlangen.auditing.arguments import WithArguments, check_call
from erlangen.auditing.array_calls import FromArrays, NumpyCall, Unbatched
from erlangen.auditing.arrays import Arrays
from erlangen.auditing.batch_second import BatchSecond
from erlangen.auditing.calling import ModelError, describe_error
from erlangen.auditing.model import Model
from erlangen.auditing.record_ways import keeping, record_way, tensor_way
from erlangen.auditing.records import LISTED, OfList, is_list_of, is_records, refusal
from erlangen.auditing.spelling import option

FIRST = "The model is called with the channels first, unlike the inputs."
LAST = "The model is called with the channels last, as the inputs have them."
NUMPY = "The model takes and returns NumPy arrays."
ARRAYS = "The model returns arrays or lists of numbers, which were made tensors."
SECOND = "The model returns the batch on the second axis, as in (T, B, D)."
UNBATCHED = "The model takes one input without a batch axis."


def find_way(model: Model, x: Any, arguments: Mapping[str, Any] | None = None) -> tuple[Model, tuple[str, ...]]:
    """The model as it can be called on x, and how, in sentences.

    In this order: as it is; with channels first, where the inputs have them elsewhere; with NumPy arrays, unless it is a torch
    module; without a batch axis; in batches of `batch_size`. arguments: further ones by name, for every call.

    Raises ModelError, with what the first way said, if none works.
    """
    if arguments:
        model = replace(model, adapter=WithArguments(model.adapter, arguments))
    check_call(model.function, model.adapter, x)
    first: Exception | None = None
    for way, notes in ways(model):
        if isinstance(first, ModelError) and way.fixed_batch != model.fixed_batch:
            break  # it ran, and what it returned does not fit: fewer inputs a call do not mend that
        returned: list[Any] = [None]
        error = failure(keeping(way, returned), x)
        is_list = is_records(returned[-1]) and not (way.select is not None and error is None)
        if is_list and (found := record_way(way, notes, x, returned[-1][0])):
            return found
        if error is None:
            return way, notes
        if is_list_of(returned[-1], Tensor) and (found := tensor_way(way, notes, x)):
            return found
        if is_list:
            raise ModelError(refusal(returned[-1][0])) from error
        first = first or error
    assert first is not None
    if isinstance(first, ModelError):
        raise first
    raise ModelError(f"{model.name} failed on input 0: {describe_error(first)}{hint(first)}") from first


def failure(way: Model, x: Any) -> Exception | None:
    """What a way to call a model raises; of one input alone, any output could have its batch on the second axis."""
    try:
        way([x, x] if isinstance(way.adapter, BatchSecond) else [x])
    except Exception as error:
        return error
    return None


def ways(model: Model) -> Iterator[tuple[Model, tuple[str, ...]]]:
    """Every way to call a model, the likely ones first."""
    placed = list(placings(model))
    yield from placed
    if model.adapter.separates_inputs:
        yield from ((replace(way, function=OfList(way.function)), (*notes, LISTED)) for way, notes in placed)
    yield from ((replace(way, adapter=BatchSecond(way.adapter)), (*notes, SECOND)) for way, notes in placed)
    yield from ((replace(way, function=FromArrays(way.function)), (*notes, ARRAYS)) for way, notes in placed)
    if model.module is None and model.fixed_batch is None:
        yield from ((replace(way, function=NumpyCall(way.function)), (*notes, NUMPY)) for way, notes in placed)
    if model.fixed_batch is None and model.adapter.separates_inputs:
        for way, notes in placed:
            yield replace(way, function=Unbatched(way.function), fixed_batch=1), (*notes, UNBATCHED)
            if model.module is None:
                function = Unbatched(NumpyCall(way.function))
                yield replace(way, function=function, fixed_batch=1), (*notes, NUMPY, UNBATCHED)
        if model.batch_size > 1:
            note = f"The model does not take a single input: it was called with batches of {model.batch_size}."
            yield from ((replace(way, fixed_batch=model.batch_size), (*notes, note)) for way, notes in placed)


def placings(model: Model) -> Iterator[tuple[Model, tuple[str, ...]]]:
    """The model called with channels where the inputs have them, and with channels first."""
    outer = model.adapter if isinstance(model.adapter, WithArguments) else None
    inner = outer.inner if outer else model.adapter
    if not isinstance(inner, Arrays) or inner.channels == "first":
        yield model, ()
        return
    yield model, (LAST,) if inner.channels == "last" else ()
    moved = replace(inner, channels="first")
    yield replace(model, adapter=replace(outer, inner=moved) if outer else moved), (FIRST,)


def takes_batches(model: Model, inputs: Sequence[Any]) -> tuple[bool, str]:
    """Whether a call with two inputs works, where one with a single input does; and why not, in a sentence.

    Inputs that never share a call are not tried.
    """
    if model.fixed_batch is not None or not model.adapter.separates_inputs:
        return True, ""
    key = model.adapter.key(inputs[0])
    other = next((x for x in inputs[1:] if model.adapter.key(x) == key), inputs[0])
    try:
        model.once([inputs[0], other])
        return True, ""
    except Exception as error:
        why = shorten(describe_error(error), 120, placeholder=" …")
        return False, f"The model takes one input at a time: a batch of two fails ({why})."


def hint(error: BaseException) -> str:
    """What may help with a common failure; '' for others."""
    text = str(error)
    if isinstance(error, IndexError) and "out of range in self" in text:
        size = option("vocabulary")
        return f"; token ids lie beyond the vocabulary (give its size with {size}), or the text is longer than its positions"
    return ""
