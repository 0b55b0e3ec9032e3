"""T2: the memory that a window and ALiBi take, in blocks and as a mask."""

from __future__ import annotations

import math

from erlangen.experiments.attention_cost import HELD, Recipe
from erlangen.experiments.attention_cost.readings import device, mebibytes, peak, slope, steps, unheld
from erlangen.experiments.attention_cost.words import said
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact

HALFWAY = 1.5  # the exponent between linear and quadratic memory


def exponents(recipe: Recipe, evidence: Evidence, form: str) -> list[float]:
    """The exponent of a form's memory at each step from a length to the next."""
    lengths = recipe.lengths[-3:]
    held = [peak(evidence, form, length) for length in lengths]
    return [slope((small, large), (before, after)) for small, large, before, after in steps(lengths, held)]


def local_memory(recipe: Recipe, evidence: Evidence) -> Exact:
    """Whether each step multiplies the local form's memory by little more than the length, and naive attention's by more."""
    found, naive = exponents(recipe, evidence, "local"), exponents(recipe, evidence, "naive")
    edge = 1 + recipe.tolerance
    return Exact(
        **said("memory, local"),
        cases=len(found) if all(map(math.isfinite, found)) else 0,
        count=float(sum(one > edge for one in found)),
        unit=f"steps with an exponent above {edge:g}",
        missing=unheld(evidence, ["local", "naive"], recipe.lengths[-3:]),
        checks=(Check("naive attention's memory grows faster", all(one > edge for one in naive)),),
        corrected="It grows faster than the length.",
        test="peak memory of forward and backward, from a length to the next",
    )


def holds_matrix(recipe: Recipe, evidence: Evidence, part: str, form: str) -> Exact:
    """Whether a form's memory is at least that of n × n numbers, and fused attention's, without a mask, is not."""
    lengths = recipe.lengths[-3:]
    held = {n: (peak(evidence, form, n), peak(evidence, "fused", n), mebibytes(evidence, n)) for n in lengths}
    fused_holds = [fused >= matrix for _, fused, matrix in held.values()]
    return Exact(
        **said(part),
        cases=len(held) if all(math.isfinite(mine) for mine, _, _ in held.values()) else 0,
        count=float(sum(mine < matrix for mine, _, matrix in held.values())),
        unit="lengths at which less is held",
        missing=unheld(evidence, [form, "fused"], lengths),
        checks=(Check("fused attention without it holds less than n × n numbers", not any(fused_holds)),),
        corrected=f"On {device(evidence)} it does not hold n × n numbers at every length.",
        test="peak memory of forward and backward against n × n numbers",
    )


def as_foretold(recipe: Recipe, evidence: Evidence) -> Exact:
    """Whether `attention_backend` foretells which forms' memory grows as n², at the last step."""
    last = recipe.lengths[-1]
    grown = {form: exponents(recipe, evidence, form)[-1] for form in HELD}
    foretold = {form: peak(evidence, form, last, "foretold") for form in HELD}
    measured = all(math.isfinite(value) for value in [*grown.values(), *foretold.values()])
    return Exact(
        **said("memory, as foretold", "control"),
        cases=len(HELD) if measured else 0,
        count=float(sum((grown[form] > HALFWAY) != (foretold[form] == 1) for form in HELD)),
        unit="forms that do otherwise",
        missing=unheld(evidence, HELD, recipe.lengths[-3:]),
        checks=(Check("some forms hold it and some do not", 0 < sum(foretold.values()) < len(HELD)),),
        corrected="erlangen.nn.backend says otherwise than the memory shows.",
        test=f"an exponent above {HALFWAY:g} at the last step, against the word of erlangen.nn.attention_backend",
    )
