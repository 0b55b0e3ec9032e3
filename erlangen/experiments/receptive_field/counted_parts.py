"""Receptive field: what is counted over all trainings: features that are exactly alike, and the controls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.kit.evidence import NO_JOB, Evidence, matches
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.receptive_field import CLAIMS
from erlangen.experiments.receptive_field.evidence import arm, learned
from erlangen.experiments.receptive_field.plan import CELLS, DEEP, DEEPEST, EASY, MIDDLE, SHALLOW, Cell, cells
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.statements import QUOTES
from erlangen.experiments.receptive_field.tasks import Learn
from erlangen.records.runs import JobResult

said = partial(wording, CLAIMS, QUOTES)
BLIND = {cell for cell in CELLS if cell.outside or cell.net == "unordered"}
INSIDE = {cell for cell in CELLS if cell.field is not None and not cell.outside}
ROUNDING = 1e-12
"""Logits in float64 no further apart than this, over the larger of 1 and their size, are equal."""


def counted_parts(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """Those that the recipe's trainings have something to say of."""
    unseen = [cell for cell in cells(recipe) if cell.outside]
    blind = [cell for cell in cells(recipe) if cell.net == "unordered"]
    parts = [identical_features(evidence, unseen), outside(evidence, unseen)] if unseen else []
    if MIDDLE in recipe.distances:
        parts.append(never_learned(evidence))
    if blind:
        parts.append(without_positions(evidence, blind))
    return [*parts, well_inside(evidence)] if EASY in recipe.distances else parts


def results_of(evidence: Evidence, wanted: Sequence[Cell]) -> list[JobResult]:
    """All trainings of some cells, at every setting."""
    return [result for cell in wanted for result in evidence.of(Learn, net=cell.net, layers=cell.layers, distance=cell.distance)]


def lost(evidence: Evidence, wanted: Sequence[Cell]) -> tuple[str, ...]:
    """The trainings of some cells that gave no result."""
    failed = [
        job.label()
        for cell in wanted
        for job in evidence.missing
        if matches(job, Learn, {"net": cell.net, "layers": cell.layers, "distance": cell.distance})
    ]
    return tuple(failed) or (() if results_of(evidence, wanted) else (f"{wanted[0].title}{NO_JOB}",))


def cell_of(result: JobResult) -> Cell:
    """The cell that a training belongs to."""
    net, layers, distance = (result.params[name] for name in ("net", "layers", "distance"))
    return Cell(net, layers, distance)  # type: ignore[arg-type]


def identical_features(evidence: Evidence, unseen: Sequence[Cell]) -> Exact:
    """Features that differ, of all trained nets that see no two marks together."""
    results = results_of(evidence, unseen)
    return Exact(
        **said("identical features"),
        cases=math.fsum(result.value("features") for result in results),
        count=math.fsum(result.value("differing") for result in results),
        unit="features that differ",
        missing=lost(evidence, unseen),
        checks=(features_differ_inside(evidence),),
        test="every feature in float64, summed in one order, sorted by size in each channel",
        corrected="Some differ.",
        note="So no training can tell them apart, with any pool and any last layer.",
    )


def features_differ_inside(evidence: Evidence) -> Check:
    """The positive control of identical features: they differ wherever an output sees both marks."""
    taught = [result for result in evidence.of(Learn) if cell_of(result) in INSIDE and learned(result) == 1]
    differ = [result.value("differing") > 0 for result in taught]
    return Check("features differ in every net that has learned a distance", all(differ) if differ else None)


def outside(evidence: Evidence, unseen: Sequence[Cell]) -> Exact:
    """Trainings that learned what they cannot see."""
    results = results_of(evidence, unseen)
    return Exact(
        **said("outside", "control"),
        cases=len(results),
        count=math.fsum(map(learned, results)),
        unit="trainings that learned it",
        missing=lost(evidence, unseen),
        checks=(some_learn(evidence),),
        corrected="Some do: the two images differ in more than the distance.",
    )


def never_learned(evidence: Evidence) -> Exact:
    """Trainings of the shallow plain net that learned a distance outside of its field."""
    shallow = [Cell("plain", SHALLOW, MIDDLE)]
    results = results_of(evidence, shallow)
    return Exact(
        **said("14 columns, 6 layers"),
        cases=len(results),
        count=math.fsum(map(learned, results)),
        unit="trainings that learned it",
        missing=lost(evidence, shallow),
        checks=(some_learn(evidence),),
        corrected="Some trainings learn it.",
    )


def nothing_unseen(evidence: Evidence) -> Check:
    """Whether every net that cannot tell the distances apart does not: else the images give them away."""
    results = [result for result in evidence.of(Learn) if cell_of(result) in BLIND]
    return Check("no net learns what it cannot see", all(learned(result) == 0 for result in results) if results else None)


def some_learn(evidence: Evidence) -> Check:
    """The positive control of nets that learn nothing: the same training teaches others."""
    short = unlearned_near(evidence, Cell("plain", SHALLOW, EASY))
    return Check(f"the same training teaches {SHALLOW} layers {EASY} columns", None if short is None else short == 0)


def unlearned_near(evidence: Evidence, cell: Cell) -> int | None:
    """How many trainings of a cell have not learned; None where there is none, or one without a result."""
    trained = arm(evidence, cell)
    values = list(trained.values(learned).values())
    return None if trained.missing or not values else sum(value != 1 for value in values)


def well_inside(evidence: Evidence) -> Exact:
    """Trainings of plain nets that did not learn what is well inside of their field."""
    near = [Cell("plain", layers, EASY) for layers in (SHALLOW, DEEP, DEEPEST)]
    short = [unlearned_near(evidence, cell) for cell in near]
    return Exact(
        **said("well inside", "control"),
        cases=sum(len(arm(evidence, cell).results) for cell in near),
        count=math.fsum(math.nan if one is None else one for one in short),
        unit="trainings that did not learn it",
        missing=lost(evidence, near),
        checks=(nothing_unseen(evidence),),
        corrected="Some do not: train for longer or at other rates.",
    )


def without_positions(evidence: Evidence, blind: Sequence[Cell]) -> Exact:
    """Nets without positions that learned, or whose logits for both distances are not the same numbers."""
    results = results_of(evidence, blind)
    gaps = [result.value("logit_gap") for result in results]
    return Exact(
        **said("without positions", "control"),
        cases=len(results),
        count=math.fsum(math.nan if math.isnan(gap) else gap > ROUNDING for gap in gaps) + math.fsum(map(learned, results)),
        unit="nets that tell them apart",
        missing=lost(evidence, blind),
        checks=(logits_differ(evidence),),
        test=f"logits in float64, equal to {ROUNDING:g}",
        corrected="Some do.",
    )


def logits_differ(evidence: Evidence) -> Check:
    """The positive control of equal logits: with positions they differ in every net that has learned."""
    gaps = [result.value("logit_gap") for result in evidence.of(Learn, net="relative") if learned(result) == 1]
    return Check("logits differ in every net with positions that has learned", all(gap > 1e-3 for gap in gaps) if gaps else None)
