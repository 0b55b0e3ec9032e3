"""`erlangen.audit`: which symmetries a model has, how badly it breaks the others, and in which layer."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from erlangen._version import __version__
from erlangen.auditing import numbers
from erlangen.auditing.adapt import describe_model
from erlangen.auditing.auditor import Auditor
from erlangen.auditing.calling import Select, with_article
from erlangen.auditing.casting import cast_inputs
from erlangen.auditing.catalog import find_checks
from erlangen.auditing.checks import without_skipped
from erlangen.auditing.domains.texts import special_tokens, with_special
from erlangen.auditing.exported import as_callable, is_exported
from erlangen.auditing.inputs import read_inputs
from erlangen.auditing.judging import Progress, judge_all
from erlangen.auditing.output_kinds import check_permuted
from erlangen.auditing.pair import Check
from erlangen.auditing.part import as_select
from erlangen.auditing.preparing import prepare, settle
from erlangen.auditing.request import AuditRequest, as_names
from erlangen.auditing.result import Audit as Audit
from erlangen.auditing.shared_calls import part_name, sharing
from erlangen.auditing.state import quiet, undisturbed
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.untrained import with_baselines
from erlangen.records.audit import OutputRecord
from erlangen.symmetries.symmetry import Symmetry

TRAINING = "The model is in training mode and was audited in it. To audit it as it will be used, call model.eval() first."


def audit(
    model: Callable[..., Any],
    inputs: Any,
    symmetries: Sequence[str | Symmetry | Check] | str | Symmetry | Check | None = None,
    *,
    skip: Sequence[str] = (),
    threshold: float = 0.1,
    domain: str | None = None,
    layout: str | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    select: Callable[[Any], Tensor] | str | int | None = None,
    output: str | Mapping[str, str] | None = None,
    permuted_classes: Mapping[str, Any] | None = None,
    state: Mapping[str, str] | None = None,
    vocabulary: int | None = None,
    elements: int = 8,
    batch_size: int = 32,
    seed: int = 0,
    only_exact: bool = False,
    where: bool = True,
    baseline: bool = False,
    name: str | None = None,
    notify: Callable[[str], None] | None = None,
) -> Audit:
    """Measure which symmetries `model` has on `inputs`. Each check gets a judgment by the rules of `auditing.verdict`.

        error(g) = RMS(f(g·x) - g·f(x)) / spread,     spread² = mean of (f(x) - mean f)² over inputs, sites and features

    model: a torch module or any callable. It is called as it is, in its current mode, and its buffers are restored. inputs: see
    `auditing.inputs.read_inputs`. symmetries: names of checks, or symmetries of your own, one or several; by default, those of
    the domain. skip: names of checks to leave out. threshold: the largest error that counts as holding, in units of the spread.
    domain: images, texts, graphs, points, series or volumes, if it cannot be guessed. layout: the order of an input's axes, such
    as hwc, if their sizes do not tell. preprocess: is called with each input. arguments: further arguments of the model by name:
    values, or `ones` or `zeros` like its first one. select: the tensor to judge, by name, by place, or as a function of the
    output. output: how the main output is read, if its shape does not tell, or each by its name, {"mask": "map"}.
    permuted_classes: name of a symmetry -> cycles of the classes that it permutes, {"reflection": [(0, 1)]}, of one output
    {"mask:reflection": [(0, 1)]}. state: of an ONNX graph, input -> the output that returns
    it. vocabulary: the number of tokens; by default from the model's config, or else from the inputs. elements: how many to draw
    per input. only_exact: tests exactness alone, on a few inputs. where: also finds the layer in which a symmetry is lost.
    baseline: also measures an untrained copy. name: of the model, in the record. notify: called with a line of text when a check
    starts.

    Raises ModelError if the model or the inputs fail, ErlangenError for an unknown check or an impossible option.
    """
    request = AuditRequest(
        symmetries=as_names(symmetries),
        skip=tuple(skip),
        threshold=threshold,
        domain=domain,
        layout=layout,
        preprocess=preprocess,
        arguments=arguments,
        output=output,
        permuted_classes=permuted_classes,
        state=state,
        vocabulary=vocabulary,
        elements=elements,
        batch_size=batch_size,
        seed=seed,
        only_exact=only_exact,
        where=where,
        baseline=baseline,
    )
    progress: Progress | None = None
    if notify is not None:
        progress = lambda number, total, check: notify(f"{number}/{total} {check}")  # noqa: E731
    result = run_audit(request, model, inputs, select=as_select(select), progress=progress)
    return result if name is None else replace(result, model=name)


def run_audit(
    request: AuditRequest, model: Any, inputs: Any, *, select: Select | None = None, progress: Progress | None = None
) -> Audit:
    """The audit that a request asks for, of a model and inputs as objects."""
    start, model = time.perf_counter(), as_callable(model)
    reading = read_inputs(
        inputs, request.domain, request.vocabulary or config_vocabulary(model), request.layout, request.preprocess
    )
    (given, converted), domain = cast_inputs(reading.inputs, model), reading.domain
    items = [on_cpu(x) for x in given]  # where symmetries act
    if domain.name == "texts":
        items = with_special(items, *special_tokens(model))
    checks = without_skipped(find_checks(request.symmetries, domain), request.skip)
    check_permuted(request.permuted_classes or {}, [check.name for check in checks if isinstance(check, SymmetryCheck)])
    module = model if isinstance(model, torch.nn.Module) else None
    notes = [*reading.notes, *([converted] if converted else [])]
    notes += [TRAINING] if module is not None and module.training and not is_exported(module) else []
    with undisturbed(module):
        auditors, choice = prepare(request, domain, model, items, select, checks, device_of(given[0]))
        auditor = auditors[0]
        notes += [*auditor.model.notes, *choice.notes()]
        functions = [part.model.function for part in auditors]
        with quiet(request.seed), sharing(functions):
            settled = [settle(auditor, checks) for auditor in auditors]
        judged = judge_all(auditors, settled, progress or (lambda number, total, check: None))
        if request.baseline:
            judged, warnings = with_baselines(judged, auditors, settled, select)
            notes += warnings
    shapes = sorted({domain.describe(x) for x in items})
    outputs = [describe_output(auditor) for auditor in auditors]
    return Audit(
        model=describe_model(auditor.model),
        domain=domain.name,
        inputs=len(items),
        source=f"given in Python as {with_article(type(inputs).__name__)}",
        shape=shapes[0] if len(shapes) == 1 else f"{shapes[0]}, and {len(shapes) - 1} other shapes",
        output=outputs[0].shape,
        precision=outputs[0].precision,
        device=str(auditor.model.device),
        twin=auditor.twin.words,
        threshold=request.threshold,
        seed=request.seed,
        spread=outputs[0].spread,
        rms=outputs[0].rms,
        outputs=tuple(outputs) if len(outputs) > 1 else (),
        checks=tuple(judged),
        notes=tuple(notes),
        versions={"erlangen": __version__, "torch": torch.__version__, "python": platform.python_version()},
        machine={"system": platform.system(), "processor": platform.machine(), "threads": torch.get_num_threads()},
        seconds=time.perf_counter() - start,
        date=datetime.now(UTC).date().isoformat(),
    )


def describe_output(auditor: Auditor) -> OutputRecord:
    """The output of one auditor, for the record."""
    y = auditor.outputs[0]
    return OutputRecord(
        name=part_name(auditor.model),
        shape=" × ".join(map(str, y.shape)),
        precision=str(y.dtype).removeprefix("torch."),
        twin=auditor.twin.words,
        spread=numbers.finite(auditor.spread),
        rms=numbers.finite(auditor.moments.rms),
    )


def on_cpu(x: Any) -> Any:
    """An input with all its tensors on the CPU."""
    if isinstance(x, Tensor):
        return x.cpu()
    if isinstance(x, dict):
        return {name: on_cpu(value) for name, value in x.items()}
    if is_dataclass(x) and not isinstance(x, type):
        return replace(x, **{field.name: on_cpu(getattr(x, field.name)) for field in fields(x)})
    return x


def device_of(x: Any) -> torch.device:
    """Of the first tensor in an input."""
    parts = [getattr(x, field.name) for field in fields(x)] if is_dataclass(x) else [x]
    return next((part.device for part in parts if isinstance(part, Tensor)), torch.device("cpu"))


def config_vocabulary(model: object) -> int | None:
    """The vocabulary size in the config of a Hugging Face model."""
    size = getattr(getattr(model, "config", None), "vocab_size", None)
    return size if isinstance(size, int) else None
