"""Depth, and the node itself: the parts that are counted."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.kit.counts import missing, total
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.graphs import graph_title
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.oversmoothing import Recipe
from erlangen.experiments.oversmoothing.evidence import (
    first_energy,
    fitted,
    kept_by_averaging,
    nets,
    said,
    setting,
)
from erlangen.experiments.oversmoothing.plan import net_fields
from erlangen.experiments.oversmoothing.tasks import (
    KINDS,
    RELU_LARGE,
    Arm as ArmName,
    Component,
    Itself,
    Kind,
    Propagate,
    Start,
)

SAME = 1e-3  # relative: two energies that agree but for the rounding of float32 in deep nets


def of_all_nodes(evidence: Evidence, name: str) -> float:
    """A count over the nodes of undirected and acyclic graphs; NaN where it is missing."""
    return sum(total(evidence.of(Itself), f"{kind}_{name}") for kind in ("undirected", "acyclic"))


def itself(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """Nodes that see themselves through one layer without B; and through two, where the walks of two edges say otherwise."""
    count = partial(of_all_nodes, evidence)
    results = evidence.of(Itself)
    astray = sum(abs(result.value("undirected_none_2") - result.value("undirected_listening")) for result in results)
    moved = "one node's features moved, in float64, without σ; undirected and acyclic graphs"
    exact = partial(Exact, cases=count("nodes"), missing=missing(evidence, Itself), test=moved)
    seen = {depth: Check("with B every node sees itself", count(f"root_{depth}") == count("nodes")) for depth in (1, 2)}
    return [
        exact(**said(recipe, "one layer"), count=count("none_1"), unit="nodes that see themselves", checks=(seen[1],)),
        exact(
            **said(recipe, "two layers"), count=astray + total(results, "acyclic_none_2"), unit="nodes that differ",
            checks=(seen[2],),
        ),
    ]  # fmt: skip


def averaged(evidence: Evidence, arm: ArmName, component: Component) -> Arm:
    """What averaging without weights gave: one result, or one for each block model."""
    return evidence.arm(Propagate, arm=arm, component=component)


def kept_in_words(recipe: Recipe, evidence: Evidence, component: Component) -> str:
    """'1.6 % without B and 4.4 % with B = I': the energy that averaging leaves, of that of shallow nets."""
    kept = partial(kept_by_averaging, recipe, depth=recipe.depths[-1])
    none, root = (100 * averaged(evidence, arm, component).mean(kept).estimate for arm in ("none", "root"))
    return f"{none:.2g} % without B and {root:.2g} % with B = I"


def averaging(recipe: Recipe, evidence: Evidence) -> Exact:
    """Graphs whose energy outlasts averaging with B = I, as often as the deepest nets average."""
    arm = averaged(evidence, "root", "giant")
    shares = arm.values(partial(kept_by_averaging, recipe, depth=recipe.depths[-1])).values()
    return Exact(
        **said(recipe, "energy without weights"),
        cases=len(shares),
        count=math.nan if any(map(math.isnan, shares)) else sum(share > recipe.keep for share in shares),
        unit=f"graphs that keep more than {recipe.keep:g} of it",
        missing=arm.missing,
        test="(D⁻¹A + I) / 2 applied once per layer, giant component",
        note=f"Of the energy of {recipe.depths[0]} layers, {recipe.depths[-1]} keep {kept_in_words(recipe, evidence, 'giant')} "
        f"on the giant component of {graph_title(recipe.data)}.",
    )


def small_components(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """Graphs whose giant component keeps as much as the whole; not judged where a graph has no other component."""
    giant, whole = (averaged(evidence, "none", component) for component in ("giant", "whole"))
    kept = partial(kept_by_averaging, recipe, depth=recipe.depths[-1])
    pairs = [(giant.results[seed], whole.results[seed]) for seed in sorted(set(giant.results) & set(whole.results))]
    if pairs and all(part.value("nodes") == all_.value("nodes") for part, all_ in pairs):
        return []
    ratios = [kept(all_) / kept(part) if kept(part) > 0 else math.nan for part, all_ in pairs]
    exact = Exact(
        **said(recipe, "small components"),
        cases=len(ratios),
        count=math.nan if any(map(math.isnan, ratios)) else sum(ratio <= recipe.factor for ratio in ratios),
        unit=f"graphs that keep at most {recipe.factor:g} times as much as their giant component",
        missing=(*giant.missing, *whole.missing),
        test="D⁻¹A applied once per layer",
        note=f"Of the energy of {recipe.depths[0]} layers, {recipe.depths[-1]} keep {kept_in_words(recipe, evidence, 'whole')} "
        f"on the whole graph; on its giant component, {kept_in_words(recipe, evidence, 'giant')}.",
    )
    return [exact]


def relu_scale(recipe: Recipe, evidence: Evidence) -> Exact:
    """Deep untrained nets whose energy differs with the scale of the first weights, though relu passes it on as a factor."""
    relu, tanh = ([evidence.arm(Start, **net_fields(recipe, kind)) for kind in kinds] for kinds in pairs_of_scales())
    changes = {name: scale_changes(recipe, *arms) for name, arms in (("relu", relu), ("tanh", tanh))}
    moved = sum(change > SAME for change in changes["tanh"])
    known = bool(changes["tanh"]) and not any(map(math.isnan, changes["tanh"]))
    return Exact(
        **said(recipe, "weight scale, relu"),
        cases=len(changes["relu"]),
        count=math.nan if any(map(math.isnan, changes["relu"])) else sum(change > SAME for change in changes["relu"]),
        unit=f"nets whose energy changes by more than {SAME:g} of itself",
        missing=(*relu[0].missing, *relu[1].missing),
        checks=(Check("with tanh it is seen to change", moved == len(changes["tanh"]) if known else None),),
        test=f"first weights multiplied by {recipe.large:g}, the same seeds",
        note=f"{setting(recipe)} Without biases, relu(c h) = c relu(h): all nodes' features grow alike.",
    )


def pairs_of_scales() -> tuple[tuple[Kind, Kind], ...]:
    """The kinds with usual and with large first weights, with relu and with tanh."""
    return (KINDS["none"], RELU_LARGE), (KINDS["tanh"], KINDS["tanh large"])


def scale_changes(recipe: Recipe, usual: Arm, large: Arm) -> list[float]:
    """|log(energy with large first weights / with usual ones)| of deep nets, for each seed."""
    changes = []
    for seed in sorted(set(usual.results) & set(large.results)):
        energies = [first_energy(recipe, arm.results[seed], recipe.deep) for arm in (large, usual)]
        changes.append(abs(math.log(energies[0] / energies[1])) if all(energy > 0 for energy in energies) else math.nan)
    return changes


def depth_alone(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """Deep nets without neighbors that did not learn their training nodes; where the recipe trains them."""
    if "alone" not in recipe.arms:
        return []
    arm = nets(recipe, evidence, "alone", recipe.deep).arm
    fits = arm.values("train_accuracy").values()
    exact = Exact(
        **said(recipe, "depth alone", "control"),
        cases=len(fits),
        count=math.nan if any(map(math.isnan, fits)) else sum(not fitted(recipe, result) for result in arm.results.values()),
        unit=f"nets below {recipe.fit:g} % of their training nodes",
        missing=arm.missing,
        test="at the best learning rate",
        note=setting(recipe),
    )
    return [exact]
