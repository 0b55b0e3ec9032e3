"""Assertions for tests of your own: a model keeps a symmetry, a symmetry keeps its laws.

    from erlangen.symmetries import Reflection
    from erlangen.testing import assert_equivariant, assert_invariant, check_symmetry

    assert_invariant(classifier, images, "translation")                  # f(g·x) = f(x), exactly
    assert_equivariant(segmenter, images, Reflection(), threshold=0.05)  # f(g·x) = g·f(x), within 5 % of the spread
    check_symmetry(MySymmetry(), images[0])                              # MySymmetry acts as it should

Importing this module loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    """f(g·x) = f(x): exactly, or, with a threshold, to within it in units of the output's spread. Returns what was measured.

    The output must be one vector per input. An output with sites of its own (a map, one row per node) moves along with the input
    and is judged by `assert_equivariant`. Raises AssertionError, which names the element, the worst input and the error.
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
    """f(g·x) = g·f(x): the same for outputs with sites, which must move along with the input."""
    return _asserted(model, inputs, symmetry, threshold, domain, select, invariant=False)


def check_symmetry(
    symmetry: Symmetry,
    x: Any,
    *,
    identity: Any = None,
    compose: Callable[[Any, Any], Any] | None = None,
    inverse: Callable[[Any], Any] | None = None,
    kept_by: Callable[[Any], Tensor] | None = None,
    outputs: Sequence[Tensor] = (),
    elements: int = 8,
    tolerance: float | None = None,
) -> None:
    """Check that a symmetry obeys its laws on one input x. Raises AssertionError, with one line about the first that is broken.

        e·x = x        (g·h)·x = g·(h·x)        g⁻¹·(g·x) = x        f(g·x) = g·f(x) for a model f that has the symmetry

    These four are checked if you pass what they need. identity: the element e. compose: (g, h) -> the element that acts as h
    followed by g. inverse: g -> g⁻¹. kept_by: a model f of one input that is known to have the symmetry, which shows whether
    `act_output` and `align` move outputs as `act` moves inputs.

    Always checked:
    - The symmetry, its generators and its elements are hashable values.
    - Elements are all different and never the identity; there are at most as many as were asked for; they depend on the random
      numbers and on nothing else. If there are few enough to list them all, the generators are among them.
    - `act` always gives the same result, does not change its input, keeps its precision and device, does not round float64 to
      float32, and gives finite numbers. Tangents have the shape of x.
    - Expected and actual outputs have the same shape: for a vector, for an output with one value per site of x, and for
      `outputs`, further outputs that a model might give for x.
    - Labels are short; sizes are plain numbers with a unit; losses are plain numbers, and 0 for generators.

    elements: how many are drawn. tolerance: the largest difference that counts as rounding, relative to the largest entry;
    default 1024 eps of the precision. If a law holds only for some inputs (zero-padded translations compose only while no
    content leaves the image), pass an input for which it holds.
    """
    from erlangen.symmetries.law_case import BrokenLawError, Case, Group
    from erlangen.symmetries.laws import check_laws

    group = Group(identity=identity, compose=compose, inverse=inverse)
    try:
        check_laws(Case(symmetry, x, n=elements, tolerance=tolerance, group=group, kept_by=kept_by, outputs=outputs))
    except BrokenLawError as broken:
        raise AssertionError(f"{symmetry_name(symmetry)}: {broken}") from broken.__cause__


def symmetry_name(symmetry: Any) -> str:
    """As messages call it."""
    return getattr(symmetry, "name", "") or type(symmetry).__name__


def _asserted(
    model: Callable[..., Any], inputs: Any, symmetry: str | Symmetry, threshold: float | None, domain: str | None,
    select: Callable[[Any], Tensor] | None, invariant: bool,
) -> Checked:  # fmt: skip
    from erlangen.auditing.audit import audit

    asked = "invariant" if invariant else "equivariant"
    record = audit(
        model, inputs, [symmetry], threshold=0.1 if threshold is None else threshold, domain=domain, select=select,
        only_exact=threshold is None,
    )  # fmt: skip
    name = symmetry if isinstance(symmetry, str) else symmetry_name(symmetry)
    check = next(check for check in record.checks if check.name == name)  # `repeat` and `batch-composition` are always there, too
    is_vector = "×" not in record.output
    if is_vector != invariant:
        other = "assert_equivariant" if invariant else "assert_invariant"
        raise AssertionError(f"the output of {record.model} is {record.output} per input: use {other}")
    if check.judgment == "exact" or (threshold is not None and check.judgment == "holds"):
        return check
    if check.judgment == "not measured":
        raise AssertionError(f"{check.name} was not measured: {check.reason}. {check.advice}".rstrip())
    shown = "not shown to be" if check.judgment == "undecided" else "not"
    raise AssertionError(f"{shown} {asked} under {check.name} ({check.judgment}): {check.reason}{_worst_in_words(check)}")


def _worst_in_words(check: Checked) -> str:
    """The worst pair and the layer where the symmetry is lost, as far as they are known."""
    from erlangen.report.audit_text import first_lost

    worst = check.worst[0] if check.worst else None
    size = f", error {worst.error:.3g} of the spread" if worst and worst.error is not None else ""
    place = f"; worst: input {worst.input}, {worst.element}{size}" if worst else ""
    return place + (f"; {first_lost(check.breaks)}" if check.breaks and check.breaks.culprit else "")
