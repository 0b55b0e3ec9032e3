"""A model called on its inputs, its outputs read, its twin verified: all that is done before the first check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing import numbers
from erlangen.auditing.adapt import adapt, call_all
from erlangen.auditing.arithmetic import eps_of
from erlangen.auditing.auditor import FEW, Auditor
from erlangen.auditing.calling import ModelError, Select
from erlangen.auditing.choice import Choice
from erlangen.auditing.domain import Domain
from erlangen.auditing.model import Model
from erlangen.auditing.number_rows import with_number_rows
from erlangen.auditing.output_reading import settled, with_maps
from erlangen.auditing.pair import Check
from erlangen.auditing.request import AuditRequest
from erlangen.auditing.shared_calls import part_name, sharing, split_model
from erlangen.auditing.state import quiet
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.tally import error_of
from erlangen.auditing.twin import make_twins
from erlangen.auditing.verdict import CONSTANT
from erlangen.statistics.clustered import Moments

DECLARED = "the output that was declared is the first one"


def prepare(
    request: AuditRequest,
    domain: Domain,
    model: Any,
    inputs: Sequence[Any],
    select: Select | None,
    checks: Sequence[Check],
    device: torch.device = torch.device("cpu"),  # noqa: B008
) -> tuple[list[Auditor], Choice]:
    """An auditor for each output that is judged, the main one first, and which these are.

    device: where the inputs were given, for models that do not say. Raises ModelError if the model fails on the inputs.
    """
    with quiet(request.seed):
        adapted = adapt(
            model, inputs, domain, select, request.batch_size, device, arguments=request.arguments, state=request.state
        )
        choice = adapted.choice
        if request.output is not None or request.permuted_classes:
            choice = choice.only_main(DECLARED)
        models = split_model(adapted, choice.names) if len(choice.names) > 1 else [adapted]
        with sharing([part.function for part in models]):
            called, left_out = call_outputs(request, domain, models, inputs, checks)
    few = adapted.chunks(inputs)[0][:FEW]
    models, outputs = [part for part, _ in called], [answers for _, answers in called]
    twins = make_twins(models, inputs, outputs, few, request.seed)
    auditors = [
        Auditor(
            request=request,
            domain=domain,
            model=part,
            inputs=inputs,
            outputs=dict(enumerate(answers)),
            moments=moments_of(part, answers),
            twin=twin,
        )
        for part, answers, twin in zip(models, outputs, twins, strict=True)
    ]
    return auditors, choice.without(left_out)


def call_outputs(
    request: AuditRequest, domain: Domain, models: Sequence[Model], inputs: Sequence[Any], checks: Sequence[Check]
) -> tuple[list[tuple[Model, list[Tensor]]], dict[str, str]]:
    """Each output with the way in which it is read, for all inputs; and why others than the main one are left out."""
    called: list[tuple[Model, list[Tensor]]] = []
    left_out = {}
    for place, model in enumerate(models):
        try:
            read, outputs = call_output(request, domain, model, inputs, checks)
        except ModelError as error:
            if not place:
                raise
            left_out[part_name(model)] = str(error).removeprefix(f"{model.name} ")
            continue
        if place and is_constant(read, inputs, outputs):
            left_out[part_name(model)] = "the same for every input"
        else:
            called.append((read, outputs))
    return called, left_out


def call_output(
    request: AuditRequest, domain: Domain, model: Model, inputs: Sequence[Any], checks: Sequence[Check]
) -> tuple[Model, list[Tensor]]:
    """f(x) for all inputs, as the checks read it."""
    model = with_number_rows(model, inputs) if domain.name in ("texts", "points") and request.output is None else model
    outputs = call_all(model, inputs, domain)
    read = with_maps(model, inputs, dict(enumerate(outputs)), checks, request.output)
    read = replace(read, eps=max(model.eps, eps_of(outputs[0].dtype)))
    return read, outputs if read.adapter is model.adapter else call_all(read, inputs, domain)


def moments_of(model: Model, outputs: Sequence[Tensor]) -> Moments:
    """Of all rows of the outputs."""
    return Moments.of(model.rows(y).double().numpy() for y in outputs)


def is_constant(model: Model, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> bool:
    """Whether there is no spread but what rounding makes, in this call and beside that of another one; NaN is no constant."""
    if not all(bool(model.rows(y).isfinite().all()) for y in outputs):
        return False
    moments = moments_of(model, outputs)
    spread, rounding = numbers.spread(moments), CONSTANT * model.eps * moments.rms
    if math.isnan(spread):
        return True
    if spread > rounding:
        return False
    alone = model([inputs[-1]])[0]
    return alone.shape == outputs[-1].shape and error_of(model.rows(outputs[-1]), model.rows(alone)) <= rounding


def settle(auditor: Auditor, checks: Sequence[Check]) -> list[Check]:
    """The checks, symmetries with the reading of the outputs that fits this model."""
    return [
        settled(check, auditor.model, auditor.inputs, auditor.outputs, auditor.request.output)
        if isinstance(check, SymmetryCheck)
        else check
        for check in checks
    ]
