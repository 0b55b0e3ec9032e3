"""A model called on its inputs, its outputs read, its twin verified: all that is done before the first check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from erlangen.auditing.adapt import adapt
from erlangen.auditing.auditor import FEW, Auditor
from erlangen.auditing.called_outputs import call_outputs, declare, moments_of, naming
from erlangen.auditing.calling import Select
from erlangen.auditing.choice import Choice
from erlangen.auditing.declarations import MAIN, Declaration, check_declared
from erlangen.auditing.domain import Domain
from erlangen.auditing.model import Model
from erlangen.auditing.output_reading import settled
from erlangen.auditing.pair import Check
from erlangen.auditing.request import AuditRequest
from erlangen.auditing.shared_calls import part_name, sharing, split_model
from erlangen.auditing.state import quiet
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.twin import make_twins

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
        declared = request.declared
        named = [name for name in declared if name != MAIN]
        adapted = adapt(model, inputs, domain, select, request.batch_size, device, request.arguments, request.state, wanted=named)
        choice = adapted.choice
        check_declared(named, choice.names, choice.left_out)
        if declared and not named:
            choice = choice.only_main(DECLARED)
        models = split_model(adapted, choice.names) if len(choice.names) > 1 else [adapted]
        said = [declaration_of(part, declared, is_main=part is models[0]) for part in models]
        with sharing([part.function for part in models]):
            called, left_out = call_outputs(domain, models, said, inputs, checks)
    few = adapted.chunks(inputs)[0][:FEW]
    models, outputs = [entry.model for entry in called], [entry.outputs for entry in called]
    twins = make_twins(models, inputs, outputs, few, request.seed)
    auditors = [
        Auditor(
            request=request,
            domain=domain,
            declaration=entry.declaration,
            model=entry.model,
            inputs=inputs,
            outputs=dict(enumerate(entry.outputs)),
            moments=moments_of(entry.model, entry.outputs),
            twin=twin,
        )
        for entry, twin in zip(called, twins, strict=True)
    ]
    return auditors, choice.without(left_out)


def declaration_of(model: Model, declared: Mapping[str, Declaration], is_main: bool) -> Declaration:
    """What is declared of the output that a model returns, or else known of it."""
    declaration = declared.get(part_name(model)) or (declared.get(MAIN) if is_main else None) or Declaration()
    return declaration if declaration.output is not None else replace(declaration, output=model.output)


def settle(auditor: Auditor, checks: Sequence[Check]) -> list[Check]:
    """The checks, symmetries with the reading of the outputs that fits this model."""
    model, output = auditor.model, auditor.declaration.output
    with naming(model):
        return [
            settled(check, model, auditor.inputs, auditor.outputs, output) if isinstance(check, SymmetryCheck) else check
            for check in declare(checks, auditor.declaration)
        ]
