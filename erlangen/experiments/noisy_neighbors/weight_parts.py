"""Attention among noisy neighbors: G7's parts, which are counted edge by edge, and what they come to."""

from __future__ import annotations

import math
from functools import partial
from statistics import fmean

from erlangen.experiments.kit.counts import missing, numbers, total
from erlangen.experiments.kit.evidence import ROUNDING, Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.noisy_neighbors.claims import CLAIMS, QUOTES
from erlangen.experiments.noisy_neighbors.tasks import TrainedWeights, Weights
from erlangen.statistics.regions import at_least

said = partial(wording, CLAIMS, QUOTES)
SOME = at_least(1, why="one case shows that it happens")
FIT = 90.0  # percent of the training nodes that a net must classify correctly before its weights count as trained


def weight_parts(evidence: Evidence) -> list[Exact]:
    """Whether neighbors' weights are equal, follow the features, and rank neighbors alike for every node that asks."""
    results, lost = evidence.of(Weights), missing(evidence, Weights)
    count = partial(total, results)
    turned, pairs, edges = count("gatv2_turned"), count("gat_pairs"), count("gat_edges")
    unequal = Check("the same probe finds unequal weights in Kipf and Welling's form", count("gcn_unequal") > 0)
    still = count("gcn_changed") + 2 * edges - count("gat_changed") - count("gatv2_changed")
    orders = Check("the same probe finds other orders in GATv2", turned > 0)
    nodes, moved, order = "nodes with unequal weights", "edges that differ", "pairs in another order"
    equally, brody = "equal weights, mean form", "Stated by Brody, Alon & Yahav (ICLR 2022)."
    random = "Parameters are random: this shows that the weights depend on features, not what training makes of them."
    exact = partial(Exact, missing=lost, test="random features and parameters, in float64")
    return [
        exact(**said(equally), cases=count("mean_nodes"), count=count("mean_unequal"), unit=nodes, checks=(unequal,)),
        exact(
            **said("unequal weights, Kipf and Welling"),
            cases=count("gcn_nodes"),
            count=count("gcn_unequal"),
            unit=nodes,
            region=SOME,
        ),
        exact(**said("feature-dependent weights"), cases=edges, count=still, unit=moved, note=random),
        exact(
            **said("order of neighbors, GAT", "rival"),
            cases=pairs,
            count=count("gat_turned"),
            unit=order,
            checks=(orders,),
            note=brody,
        ),
        exact(**said("order of neighbors, GATv2", "rival"), cases=pairs, count=turned, unit=order, region=SOME, note=brody),
        *trained_parts(evidence),
    ]


def trained_parts(evidence: Evidence) -> list[Exact]:
    """The same two counts in nets that were trained."""
    results = {form: evidence.of(TrainedWeights, form=form) for form in ("mean", "gcn", "gat", "gatv2")}
    count = {(form, name): total(of, name) for form, of in results.items() for name in ("nodes", "unequal", "edges", "changed")}
    fits = [value for of in results.values() for value in numbers(of, "train_accuracy") or (math.nan,)]
    least = min(fits) if all(map(math.isfinite, fits)) else math.nan
    trained = Check(
        f"each net classifies {FIT:g} % of its training nodes correctly", passed(least, least >= FIT * (1 - ROUNDING))
    )
    seen = count["gcn", "unequal"]
    unequal = Check("the same probe finds unequal weights in a trained GCN", passed(seen, seen > 0))
    still = count["gcn", "changed"] + sum(count[form, "edges"] - count[form, "changed"] for form in ("gat", "gatv2"))
    gat, v2 = (fmean(numbers(results[form], "largest_over_smallest") or (math.nan,)) for form in ("gat", "gatv2"))
    exact = partial(Exact, missing=missing(evidence, TrainedWeights), test="nets trained on block models of 60 nodes, in float64")
    return [
        exact(
            **said("equal weights after training"), cases=count["mean", "nodes"], count=count["mean", "unequal"],
            unit="nodes with unequal weights", checks=(trained, unequal),
        ),
        exact(
            **said("feature-dependent weights after training"), cases=count["gat", "edges"], count=still,
            unit="edges that differ", checks=(trained,),
            note=f"On average, the largest weight at a node is {gat:.1f} times the smallest in GAT and {v2:.1f} times in GATv2.",
        ),
    ]  # fmt: skip


def passed(value: float, holds: bool) -> bool | None:
    """A check's outcome, which is open where the value was not measured."""
    return None if math.isnan(value) else holds


def weight_sentence(evidence: Evidence) -> str:
    """What was counted, in one sentence."""
    names = ("mean_unequal", "mean_nodes", "gcn_unequal", "gat_changed", "gat_edges", "gcn_changed")
    mean, nodes, gcn, gat, edges, still = (f"{total(evidence.of(Weights), name):.0f}" for name in names)
    trained = {form: evidence.of(TrainedWeights, form=form) for form in ("mean", "gat")}
    equal = " of ".join(f"{total(trained['mean'], name):.0f}" for name in ("unequal", "nodes"))
    follow = " of ".join(f"{total(trained['gat'], name):.0f}" for name in ("changed", "edges"))
    return (
        f"The mean form gives neighbors unequal weights at {mean} of {nodes} nodes (after training at {equal}), Kipf and "
        f"Welling's GCN at {gcn}; permuting the nodes' features changes GAT's weights on {gat} of {edges} edges (after training "
        f"on {follow}), GCN's on {still}."
    )
