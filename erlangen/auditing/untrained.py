"""The same architecture with fresh weights: it shows which symmetries come from training, and which from the architecture."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from erlangen.auditing.adapt import adapt, call_all
from erlangen.auditing.auditor import Auditor
from erlangen.auditing.calling import Select, describe_error
from erlangen.auditing.numbers import finite
from erlangen.auditing.pair import Check
from erlangen.auditing.part import Part
from erlangen.auditing.shared_calls import part_name
from erlangen.auditing.state import quiet
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.errors import ErlangenError
from erlangen.records.audit import Checked
from erlangen.statistics.clustered import Moments

TINY = 1e-3  # a parameter that scales a branch by less than this hides the branch


def with_baselines(
    judged: Sequence[Checked], auditors: Sequence[Auditor], checks: Sequence[Sequence[Check]], select: Select | None
) -> tuple[list[Checked], tuple[str, ...]]:
    """The judged checks with the error of an untrained copy, in the output that each is about; and notes for the reader."""
    errors: dict[str, dict[str, float | None]] = {}
    notes: tuple[str, ...] = ()
    for auditor, asked in zip(auditors, checks, strict=True):
        name = part_name(auditor.model)
        errors[name], notes = untrained_errors(auditor, asked, Part(name) if name else select)
    fallback = part_name(auditors[0].model)
    return [replace(check, baseline=errors[check.output or fallback].get(check.name)) for check in judged], notes


def untrained_errors(
    auditor: Auditor, checks: Sequence[Check], select: Select | None
) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Each symmetry's error in an untrained copy of the model, on the same inputs and elements; and notes for the reader."""
    if auditor.model.module is None:
        raise ErlangenError("there is no untrained baseline, because the model is not a torch module")
    seed = auditor.request.seed
    fresh, notes = untrained(auditor.model.module, seed)
    with quiet(seed):
        request = auditor.request
        model = adapt(
            fresh,
            auditor.inputs,
            auditor.domain,
            select,
            auditor.model.batch_size,
            arguments=request.arguments,
            state=request.state,
        )
        model = replace(model, adapter=auditor.model.adapter)  # which may read outputs as maps
        outputs = call_all(model, auditor.inputs, auditor.domain)
    moments = Moments.of(model.rows(y).double().numpy() for y in outputs)
    other = replace(auditor, model=model, outputs=dict(enumerate(outputs)), moments=moments)
    symmetries = [check for check in checks if isinstance(check, SymmetryCheck)]
    return {check.name: error_of(other, check) for check in symmetries}, notes


def error_of(auditor: Auditor, check: Check) -> float | None:
    """The mean error of one check, in units of the spread; None if it cannot be measured."""
    try:
        return finite(auditor.estimate(auditor.sample(check)).interval.estimate)
    except Exception:
        return None


def untrained(module: nn.Module, seed: int) -> tuple[nn.Module, tuple[str, ...]]:
    """A copy whose layers have drawn new weights by their own `reset_parameters`, and notes for the reader.

    Parameters that belong to no such layer (positions, class tokens, LayerScale) keep their values and are named. So are scales
    close to 0, like ConvNeXt's 1e-6: an untrained net of such blocks is little more than its stem, and looks more equivariant
    than any trained one. Raises ErlangenError if the module cannot be copied, or none of its layers can be reset.
    """
    try:
        fresh = copy.deepcopy(module)
    except Exception as error:
        raise ErlangenError(
            f"there is no untrained baseline, because the model cannot be copied: {describe_error(error)}"
        ) from None
    reset: set[int] = set()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 0x5EED)  # not a seed that the user may have built the model with
        for part in fresh.modules():
            draw = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
            if callable(draw):
                draw()
                reset |= {id(parameter) for parameter in part.parameters()}
    if not reset:
        raise ErlangenError("there is no untrained baseline, because no layer of the model has reset_parameters")
    kept = {name: parameter for name, parameter in fresh.named_parameters() if id(parameter) not in reset}
    tiny = [name for name, parameter in kept.items() if 0 < float(parameter.detach().abs().max()) < TINY]
    notes = []
    if kept:
        names = ", ".join(list(kept)[:4]) + (f" and {len(kept) - 4} more" if len(kept) > 4 else "")
        notes.append(f"The untrained baseline keeps the values of {names}, because no layer can reset them.")
    if tiny:
        names = tiny[0] + (f" and {len(tiny) - 1} more scale" if len(tiny) > 1 else " scales")
        notes.append(
            f"The untrained baseline is misleading: {names} branches by less than {TINY:g}, so it is little more than its first "
            "layers, and looks more equivariant than the architecture is."
        )
    return fresh, tuple(notes)
