"""`erlangen.audit`: which symmetries a model has, how badly the others break, and from which layer on."""

from __future__ import annotations

import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import erlangen
from erlangen.auditing import numbers
from erlangen.auditing.adapt import adapt, parameters_in_words
from erlangen.auditing.auditor import FEW, Auditor, quiet, run
from erlangen.auditing.catalog import checks
from erlangen.auditing.inputs import as_inputs
from erlangen.auditing.model import Model, ModelError
from erlangen.auditing.pair import Check
from erlangen.auditing.symmetry_check import SymmetryCheck, in_words
from erlangen.auditing.twin import NoTwinError, twin_of, verify
from erlangen.auditing.untrained import untrained
from erlangen.auditing.verdict import FLOOR
from erlangen.errors import ErlangenError
from erlangen.records.audit import AuditRecord, Checked
from erlangen.statistics.clustered import Moments
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text


class BrokenError(AssertionError):
    """A threshold was breached; the message has a line for each check that broke."""


@dataclass(frozen=True, kw_only=True)
class Audit(AuditRecord):
    """What `audit` returns: the record, to print, to look at, to save and to assert."""

    def __str__(self) -> str:
        from erlangen.report.audit_text import audit_text

        return audit_text(self)

    def _repr_html_(self) -> str:
        from erlangen.report.audit_page import notebook_html

        return notebook_html(self)

    def save(self, path: str | Path) -> Path:
        """The page (.html) or the record (.json). Raises ErlangenError for another ending, or where it cannot be written."""
        from erlangen.report.audit_page import save

        return save(self, Path(path))

    def raise_if_broken(self, strict: bool = False) -> Audit:
        """Raises BrokenError where a check is broken (strict: or undecided, or not measured); else returns itself."""
        bad = ("broken", "undecided", "not measured") if strict else ("broken",)
        lines = [f"{c.name} {c.judgment}: {c.reason}" for c in self.checks if c.judgment in bad and not c.informational]
        if lines:
            raise BrokenError(f"{self.model}\n" + "\n".join(lines))
        return self


def audit(
    model: Callable[..., Any],
    inputs: Any,
    symmetries: Sequence[str | Symmetry | Check] | None = None,
    *,
    threshold: float = 0.1,
    domain: str | None = None,
    select: Callable[[Any], Tensor] | None = None,
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
    """Which symmetries `model` has on `inputs`: one judgment a check, each by the rules of `auditing.verdict`.

        error(g) = RMS(f(g·x) - g·f(x)) / spread,     spread² = mean ‖f(x) - mean f‖² over inputs and sites, an entry

    model: a torch module or any callable; it is called as it is, in the mode it is in, and what it keeps in buffers is
    restored. inputs: see `auditing.inputs.as_inputs`. symmetries: names, values of your own, or checks; None: those of the
    domain. threshold: the δ below which a symmetry counts as holding, in units of the spread. select: takes the tensor to judge
    out of the model's output. elements: drawn for each input. only_exact: exactness alone, on few inputs. where: also find the
    layer. baseline: also measure an untrained copy. notify: called with a line of progress.

    Raises ModelError where model or inputs do not run, ErlangenError for an unknown check or a threshold that is none.
    """
    if not 0 < threshold < float("inf"):
        raise ErlangenError(f"threshold {threshold}: it must be positive, in units of the output's spread; 0.1 is usual")
    if elements < 1 or batch_size < 1:
        raise ErlangenError(f"elements {elements}, batch_size {batch_size}: at least 1 each")
    start = time.perf_counter()
    try:
        items, domain = as_inputs(inputs, domain, vocabulary or vocabulary_of(model))
    except ErlangenError:
        raise
    except Exception as error:
        raise ModelError(
            f"inputs of type {type(inputs).__name__} cannot be read as a batch or a list: {in_words(error)}"
        ) from error
    asked = checks(symmetries, domain)
    notes = []
    module = model if isinstance(model, torch.nn.Module) else None
    with undisturbed(module):
        with quiet(seed):
            adapted = adapt(model, items, domain, select, batch_size)
            outputs = all_outputs(adapted, items)
        if module is not None and module.training:
            notes.append(
                "The model is in training mode, and was audited in it: call model.eval() if it is to be judged as it will serve."
            )
        twin, twin_inputs, twin_outputs, twin_words = float64_twin(adapted, items, outputs, seed)
        moments = Moments.of(adapted.adapter.sites(y).double().numpy() for y in outputs)
        auditor = Auditor(
            model=adapted, inputs=items, outputs=dict(enumerate(outputs)), twin=twin, twin_inputs=twin_inputs,
            twin_outputs=twin_outputs, moments=moments, domain=domain, threshold=threshold, elements=elements, seed=seed,
            only_exact=only_exact, where=where,
        )  # fmt: skip
        judged = run(auditor, asked, notify or (lambda line: None))
        if baseline:
            judged, traps = beside_untrained(auditor, asked, judged, select)
            notes += traps
    shapes = sorted({shape_of(x) for x in items})
    spread, rms = numbers.spread(moments), moments.rms
    return Audit(
        model=name or parameters_in_words(adapted),
        domain=domain,
        inputs=len(items),
        source=type(inputs).__name__,
        shape=shapes[0] if len(shapes) == 1 else f"{shapes[0]} and {len(shapes) - 1} other shapes",
        output=" × ".join(map(str, outputs[0].shape)),
        precision=str(outputs[0].dtype).removeprefix("torch."),
        device=str(adapted.device),
        twin=twin_words,
        threshold=threshold,
        seed=seed,
        spread=spread if spread == spread else None,
        rms=rms if rms == rms else None,
        checks=tuple(judged),
        notes=tuple(notes),
        versions={"erlangen": erlangen.__version__, "torch": torch.__version__, "python": platform.python_version()},
        machine={"system": platform.system(), "processor": platform.machine(), "threads": torch.get_num_threads()},
        seconds=time.perf_counter() - start,
    )


@contextmanager
def undisturbed(module: torch.nn.Module | None) -> Iterator[None]:
    """What calls of a model change and the caller goes on with: its buffers, and all random numbers."""
    parts = [] if module is None else list(module.modules())
    buffers = [(part, name, buffer) for part in parts for name, buffer in part._buffers.items() if buffer is not None]
    kept = [buffer.clone() for _, _, buffer in buffers]
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if on_cuda:
            torch.cuda.set_rng_state_all(on_cuda)
        with torch.no_grad():
            for (part, name, buffer), value in zip(buffers, kept, strict=True):
                part._buffers[name] = buffer.copy_(value)  # the very tensor, where forward has put another in its place


def beside_untrained(
    auditor: Auditor, asked: Sequence[Check], judged: Sequence[Checked], select: Callable[[Any], Tensor] | None
) -> tuple[list[Checked], tuple[str, ...]]:
    """The same with each symmetry's error in an untrained copy of the model, on the same inputs and elements."""
    if auditor.model.module is None:
        raise ErlangenError("no untrained baseline: there is no torch module behind the model")
    fresh, notes = untrained(auditor.model.module, auditor.seed)
    with quiet(auditor.seed):
        model = adapt(fresh, auditor.inputs, auditor.domain, select, auditor.model.batch_size)
        outputs = all_outputs(model, auditor.inputs)
    moments = Moments.of(model.adapter.sites(y).double().numpy() for y in outputs)
    other = replace(auditor, model=model, outputs=dict(enumerate(outputs)), moments=moments, twin=None, where=False)
    errors = {}
    for check in asked:
        if isinstance(check, SymmetryCheck):
            error = numbers.estimate(numbers.by_input(other.sampled(check)), len(other.inputs), moments).interval.estimate
            errors[check.name] = error if error == error else None
    return [replace(checked, baseline=errors.get(checked.name)) for checked in judged], notes


def all_outputs(model: Model, inputs: Sequence[Any]) -> list[Tensor]:
    """f(x) of all inputs. Raises ModelError that names the input where it fails."""
    try:
        outputs = model(inputs)
    except Exception:
        for i, x in enumerate(inputs):
            try:
                model([x])
            except Exception as error:
                raise ModelError(f"{model.name} failed on input {i} ({shape_of(x)}): {in_words(error)}") from error
        raise
    widths = {model.adapter.sites(y).shape[1] for y in outputs}
    if len(widths) > 1:
        raise ModelError(f"{model.name} gives outputs of {sorted(widths)} features: they must have one number to be compared")
    return outputs


def float64_twin(
    model: Model, inputs: Sequence[Any], outputs: Sequence[Tensor], seed: int
) -> tuple[Model | None, Sequence[Any], dict[int, Tensor], str]:
    """The twin, its inputs, its outputs on a few of them, and how exactness is decided, in words."""
    own = model.eps < 1e-15  # by what it answers: it may compute in less
    few = model.chunks(inputs)[0][:FEW]
    doubled = [double_of(x) for x in inputs]
    try:
        with quiet(seed):
            twin = twin_of(model)
            verify(twin, model, [doubled[i] for i in few], model([inputs[i] for i in few]))  # both in a batch of these alone
            answers = twin([doubled[i] for i in few])
    except NoTwinError as error:
        return None, inputs, {}, "the model is in float64 itself" if own else f"none: {error}"
    if own and all(
        torch.allclose(y, outputs[i], rtol=0, atol=FLOOR * model.eps * rms_of(y)) for i, y in zip(few, answers, strict=True)
    ):
        return None, inputs, {}, "the model is in float64 itself"
    return twin, doubled, dict(zip(few, answers, strict=True)), "float64"


def rms_of(y: Tensor) -> float:
    return float(y.abs().square().mean().sqrt())


def double_of(x: Any) -> Any:
    """An input with its floating numbers in float64: moving it must not round it either."""
    if isinstance(x, Tensor):
        return x.double() if x.is_floating_point() else x
    if isinstance(x, dict):
        return {name: double_of(value) for name, value in x.items()}
    if is_dataclass(x) and not isinstance(x, type):
        return replace(x, **{field.name: double_of(getattr(x, field.name)) for field in fields(x)})
    return x


def vocabulary_of(model: object) -> int | None:
    """The vocabulary that a Hugging Face model's config states."""
    size = getattr(getattr(model, "config", None), "vocab_size", None)
    return size if isinstance(size, int) else None


def shape_of(x: Any) -> str:
    """'3 × 32 × 32', '12 tokens', '20 nodes and 60 edges'"""
    if isinstance(x, Tensor):
        return " × ".join(map(str, x.shape))
    if isinstance(x, Text):
        return f"{len(x)} tokens"
    sizes = {field.name: getattr(x, field.name) for field in fields(x)}
    return f"{len(sizes['x'])} nodes and {sizes['edge_index'].shape[1]} edges"
