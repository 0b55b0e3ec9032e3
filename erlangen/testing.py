"""Assertions for tests of your own: a model keeps a symmetry, exactly or within a threshold.

from erlangen.symmetries.reflection import Reflection
from erlangen.testing import assert_equivariant, assert_invariant

assert_invariant(classifier, images, "translation")                  # f(g·x) = f(x), exactly
assert_equivariant(segmenter, images, Reflection(), threshold=0.05)  # f(g·x) = g·f(x), within 5 % of the spread
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from erlangen.records.audit import Checked
from erlangen.symmetries.symmetry import Symmetry


def assert_invariant(
    model: Callable[..., Any],
    inputs: Any,
    symmetry: str | Symmetry,
    threshold: float | None = None,
    domain: str | None = None,
    select: Callable[[Any], Tensor] | None = None,
) -> Checked:
    """f(g·x) = f(x): exactly, or, with a threshold, within it in units of the output's spread. Returns what was measured.

    The output must be one vector an input: one that has sites of its own (a map, a row a node) moves along, and is judged by
    `assert_equivariant`. Raises AssertionError that names the element, the worst input and the size of the error.
    """
    return _asserted(model, inputs, symmetry, threshold, domain, select, invariant=True)


def assert_equivariant(
    model: Callable[..., Any],
    inputs: Any,
    symmetry: str | Symmetry,
    threshold: float | None = None,
    domain: str | None = None,
    select: Callable[[Any], Tensor] | None = None,
) -> Checked:
    """f(g·x) = g·f(x): the same for outputs that have sites, which must move along."""
    return _asserted(model, inputs, symmetry, threshold, domain, select, invariant=False)


def _asserted(
    model: Callable[..., Any], inputs: Any, symmetry: str | Symmetry, threshold: float | None, domain: str | None,
    select: Callable[[Any], Tensor] | None, invariant: bool,
) -> Checked:  # fmt: skip
    from erlangen.auditing.audit import audit

    asked = "invariant" if invariant else "equivariant"
    found = audit(
        model, inputs, [symmetry], threshold=0.1 if threshold is None else threshold, domain=domain, select=select,
        only_exact=threshold is None,
    )  # fmt: skip
    name = symmetry if isinstance(symmetry, str) else symmetry.name or type(symmetry).__name__
    check = next(check for check in found.checks if check.name == name)  # `repeat` and `batch-composition` are always there, too
    is_vector = "×" not in found.output
    if is_vector != invariant:
        other = "assert_equivariant" if invariant else "assert_invariant"
        raise AssertionError(f"the output of {found.model} is {found.output} an input: use {other}")
    kept = ("exact",) if threshold is None else ("exact", "holds")
    if check.judgment in kept:
        return check
    worst = check.worst[0] if check.worst else None
    size = f", error {worst.error:.3g} of the spread" if worst and worst.error is not None else ""
    place = f"; worst: input {worst.input}, {worst.element}{size}" if worst else ""
    layer = f"; first at {check.breaks.why}" if check.breaks and check.breaks.culprit else ""
    if check.judgment == "not measured":
        raise AssertionError(f"{check.name} was not measured: {check.reason}. {check.advice}".rstrip())
    shown = "not shown to be" if check.judgment == "undecided" else "not"
    raise AssertionError(f"{shown} {asked} under {check.name} ({check.judgment}): {check.reason}{place}{layer}")
