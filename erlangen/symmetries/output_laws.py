"""What every symmetry keeps to when it acts on outputs and on tangents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from erlangen.symmetries.law_case import Case, require
from erlangen.symmetries.leaves import apart
from erlangen.symmetries.symmetry import Symmetry


def outputs_fit(case: Case) -> None:
    """Expected and actual output have one shape, whatever the model gives; the outputs themselves stay as they are."""
    vector = torch.linspace(-1, 1, 5)
    for g in case.used:
        sites = sites_of(case.reference(case.x, g)), sites_of(case.act(case.x, g))
        for y, y_g in ((vector, vector), *((y, y) for y in case.outputs), sites):
            pair_fits(case, y, y_g, g)


def sites_of(x: Any) -> Tensor:
    """An output with a value for each site: that of a model that gives its input back, or numbers its nodes or tokens."""
    return x if isinstance(x, Tensor) else torch.arange(float(3 * len(x))).view(-1, 3)


def pair_fits(case: Case, y: Tensor, y_g: Tensor, g: Any) -> None:
    """One pair of outputs, of reference and g·x."""
    label, shape, before = case.label(g), tuple(y.shape), (y.clone(), y_g.clone())
    aligned = case.call("align", y, y_g, g, case.x)
    changed = apart(before[0], y) + apart(before[1], y_g)
    require(changed == 0, f"align or act_output changes the output that it is given ({label}): work on a copy")
    if aligned is None:
        return
    two = isinstance(aligned, tuple) and len(aligned) == 2 and all(isinstance(side, Tensor) for side in aligned)
    require(two, f"align must give two tensors or None for an output of shape {shape}, not {aligned!r}")
    expected, actual = aligned
    require(
        expected.shape == actual.shape,
        f"expected and actual output have shapes {tuple(expected.shape)} and {tuple(actual.shape)} where a model gives {shape} "
        f"and {tuple(y_g.shape)} ({label}): act_output must move outputs as act moves x, or give None for such outputs",
    )
    require(expected.dtype == y.dtype, f"the expected output is {expected.dtype} for an output of {y.dtype} ({label})")


def known_model_keeps_it(case: Case) -> None:
    """A model that is known to have the symmetry is found to have it."""
    if case.kept_by is None:
        return
    y = case.kept_by(case.x)
    fitted = case.call("fitted", case.x, y)
    require(isinstance(fitted, Symmetry), f"fitted must give a symmetry, not {fitted!r}")
    restricted, acts = replace(case, symmetry=fitted), False
    for g in restricted.used:
        outputs = case.kept_by(restricted.reference(case.x, g)), case.kept_by(restricted.act(case.x, g))
        aligned = restricted.call("align", *outputs, g, case.x)
        acts = acts or aligned is not None
        require(
            aligned is None or case.equal(*aligned),
            f"kept_by breaks it ({restricted.label(g)}, off by {0.0 if aligned is None else apart(*aligned):.2g} of the largest "
            "entry): act_output or align does not agree with act",
        )
    require(acts, f"no element acts on outputs of kept_by, of shape {tuple(y.shape)}")


def tangents_fit(case: Case) -> None:
    """One tensor like x for each one-parameter subgroup."""
    for tangent in case.call("tangent", case.x):
        fits = isinstance(case.x, Tensor) and (tangent.shape, tangent.dtype) == (case.x.shape, case.x.dtype)
        require(fits, f"a tangent has shape {tuple(tangent.shape)} and {tangent.dtype}: it must be like the input")
        require(bool(tangent.isfinite().all()), "a tangent has numbers that are not finite")
