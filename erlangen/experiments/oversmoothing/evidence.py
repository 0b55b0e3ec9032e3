"""The nets of a run by kind and depth, each at its best learning rate, and what every comparison of them rests on."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from erlangen.experiments.kit.evidence import ROUNDING, Arm, Evidence
from erlangen.experiments.kit.graphs import GRAPHS, graph_title
from erlangen.experiments.kit.parts import Check
from erlangen.experiments.kit.tuning import Tuned, tuned
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.experiments.oversmoothing import CLAIMS, QUOTES, Recipe
from erlangen.experiments.oversmoothing.plan import net_fields
from erlangen.experiments.oversmoothing.tasks import KINDS, Propagate, Start, Train
from erlangen.records.runs import JobResult, Of

NAMES = {
    "root": "with B",
    "none": "without B",
    "loops": "self-loops",
    "wide": "wider without B",
    "residual": "B = I",
    "normalized": "LayerNorm",
    "tanh": "tanh without B",
    "tanh large": "tanh, large weights",
    "alone": "no neighbors",
}
UNFIT = 1000.0  # points: a rate at which more nets learned their training nodes is better, whatever they score


def said(recipe: Recipe, part: str, of: Of = "extension") -> Wording:
    """The wording of a part. The report did not mean a graph of the user's: there its sentences are an extension."""
    return wording(CLAIMS, QUOTES if recipe.data in GRAPHS else {}, part, of)


def fitted(recipe: Recipe, result: JobResult) -> bool:
    """Whether a net learned its training nodes, as the recipe asks."""
    return result.value("train_accuracy") >= recipe.fit * (1 - ROUNDING)


def validation_error(recipe: Recipe, result: JobResult) -> float:
    """Percent of the validation nodes that a net gets wrong, and UNFIT more if it did not learn its training nodes."""
    return 100 - result.value("validation_accuracy") + (0.0 if fitted(recipe, result) else UNFIT)


def nets(recipe: Recipe, evidence: Evidence, name: str, depth: int) -> Tuned:
    """The nets of an arm and a depth, at the rate that is best on the validation nodes."""
    fields = net_fields(recipe, KINDS[name])
    best = tuned(evidence, Train, by=partial(validation_error, recipe), depth=depth, **fields)
    return replace(best, arm=replace(best.arm, name=f"{NAMES[name]}, {depth} layers"))


def untrained(recipe: Recipe, *compared: Tuned) -> tuple[str, ...]:
    """The nets that did not learn their training nodes at the very depths that are compared."""
    return tuple(name for best in compared for name in best.arm.below("train_accuracy", recipe.fit))


def learned(recipe: Recipe, *arms: Arm) -> str:
    """'7 of 10': the nets that learned their training nodes."""
    results = [result for arm in arms for result in arm.results.values()]
    return f"{sum(fitted(recipe, result) for result in results)} of {len(results)}"


def did_not_train(recipe: Recipe, evidence: Evidence) -> str:
    """How many of the deepest nets learned their training nodes, where they are deeper than those compared."""
    depth = recipe.depths[-1]
    arms = [nets(recipe, evidence, name, depth).arm for name in ("root", "none")]
    if depth == recipe.deep or not all(arm.results for arm in arms):
        return ""
    counts = [learned(recipe, arm) for arm in arms]
    return f"With {depth} layers, {counts[0]} nets with B and {counts[1]} without learned their training nodes."


def starts(recipe: Recipe, evidence: Evidence, name: str) -> Arm:
    """The untrained nets of an arm."""
    return replace(evidence.arm(Start, **net_fields(recipe, KINDS[name])), name=NAMES[name])


def at_depth(recipe: Recipe, depth: int) -> int:
    """Where a depth stands among those of an untrained net; NaN stands for a result that lacks it."""
    return recipe.depths.index(depth)


def first_energy(recipe: Recipe, result: JobResult, depth: int) -> float:
    """The energy of an untrained net of a depth; NaN where it was not measured."""
    energies = result.values("energy")
    return energies[at_depth(recipe, depth)] if len(energies) == len(recipe.depths) else math.nan


def kept_at_start(recipe: Recipe, result: JobResult) -> float:
    """The energy of a deep untrained net over that of a shallow one."""
    shallow = first_energy(recipe, result, recipe.depths[0])
    return first_energy(recipe, result, recipe.deep) / shallow if shallow > 0 else math.nan


def kept_by_averaging(recipe: Recipe, result: JobResult, depth: int) -> float:
    """The energy after so many rounds of averaging over that after as many as a shallow net has layers."""
    energies = result.values("energy")  # from depth 0 on
    place = at_depth(recipe, depth) + 1
    return energies[place] / energies[1] if len(energies) > place and energies[1] > 0 else math.nan


def smoothing_is_seen(recipe: Recipe, evidence: Evidence) -> Check:
    """Positive control of energies: averaging without weights must be seen to smooth."""
    arm = evidence.arm(Propagate, arm="none", component="giant")
    shares = arm.values(partial(kept_by_averaging, recipe, depth=recipe.deep)).values()
    known = bool(shares) and not any(map(math.isnan, shares))
    return Check("averaging without weights is seen to smooth", all(share < recipe.keep for share in shares) if known else None)


def loss_is_seen(recipe: Recipe, alone: Tuned, *compared: Tuned) -> Check:
    """Positive control of accuracies: nets without neighbors must be seen to score less than the best of those compared.

    Where all of them score like nets without neighbors, nothing is left that they could differ in. Nets without neighbors that
    did not learn their training nodes score less for another reason, and show nothing.
    """
    scores = [tuned.arm.mean("test_accuracy").estimate for tuned in (alone, *compared)]
    seen = max(scores[1:]) - scores[0] > recipe.tolerance and not untrained(recipe, alone)
    return Check("nets without neighbors are seen to be less accurate", seen if all(map(math.isfinite, scores)) else None)


def something_to_prevent(without: float, with_b: float, edge: float) -> Check:
    """Whether deep nets without B lose more than the edge, be it energy or accuracy: else B has nothing to prevent.

    Where nets with B lose more than that themselves, B does not prevent it, whatever others do.
    """
    lost = True if with_b < edge else None if math.isnan(without) else without < edge
    return Check("deep nets without B are seen to over-smooth", lost)


def setting(recipe: Recipe) -> str:
    """What deep and shallow mean."""
    where = "the giant component of " if recipe.data == "cora" else ""
    one = "" if recipe.data == "blocks" else " It is one graph, so that the interval is over first weights."
    return f"Here deep means {recipe.deep} layers and shallow {recipe.depths[0]}, on {where}{graph_title(recipe.data)}.{one}"


def at_rates(*compared: Tuned) -> str:
    """The learning rates at which nets are compared."""
    return "Best learning rates: " + ", ".join(f"{best.rate:g} {best.arm.name}" for best in compared) + "."
