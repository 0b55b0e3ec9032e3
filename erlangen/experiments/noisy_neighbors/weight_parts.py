"""Attention among noisy neighbors: G7's parts, which are counted edge by edge, and what they come to."""

from __future__ import annotations

from functools import partial

from erlangen.experiments.kit.counts import missing, total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.noisy_neighbors import CLAIMS, QUOTES
from erlangen.experiments.noisy_neighbors.tasks import Weights
from erlangen.statistics.regions import at_least

said = partial(wording, CLAIMS, QUOTES)
SOME = at_least(1, why="one case shows that it happens")


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
    ]


def weight_sentence(evidence: Evidence) -> str:
    """What was counted, in one sentence."""
    names = ("mean_unequal", "mean_nodes", "gcn_unequal", "gat_changed", "gat_edges", "gcn_changed")
    mean, nodes, gcn, gat, edges, still = (f"{total(evidence.of(Weights), name):.0f}" for name in names)
    return (
        f"The mean form gives neighbors unequal weights at {mean} of {nodes} nodes, Kipf and Welling's GCN at {gcn}; permuting "
        f"the nodes' features changes GAT's weights on {gat} of {edges} edges, GCN's on {still}."
    )
