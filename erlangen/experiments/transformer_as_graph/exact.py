"""Claim G9: its parts, all of them counted."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.kit.counts import missing, numbers, total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.transformer_as_graph import CLAIMS, QUOTES
from erlangen.experiments.transformer_as_graph.tasks import Layer, Order, Relabel

GRAPHS = ("complete", "causal", "ring", "star", "self")


def exact_parts(evidence: Evidence) -> list[Exact]:
    """The layer on three graphs, GAT's attention beside it, and relabelings."""
    return [*layers(evidence), additive(evidence), relabeling(evidence)]


def check(name: str, margin: float) -> Check:
    """A check that passes where a number is positive; not measured where it is unknown."""
    return Check(name=name, passed=None if math.isnan(margin) else margin > 0)


def layers(evidence: Evidence) -> list[Exact]:
    """On the complete graph, on the directed one, and without self-loops."""
    names = ("complete_cases", "complete_wrong", "causal_cases", "causal_wrong", "crossed_cases", "crossed_apart")
    cases, wrong, causal_cases, causal_wrong, crossed, apart = (total(evidence.of(Layer), name) for name in names)
    edges, back = (total(evidence.of(Layer), name) for name in ("edges", "edges_back"))
    error = {kind: max(numbers(evidence.of(Layer), f"{kind}_error"), default=math.nan) for kind in ("complete", "causal")}
    layer = partial(
        Exact,
        missing=missing(evidence, Layer),
        checks=(check("most tensors tell the complete graph from the causal one", 2 * apart - crossed),),
        test="against torch.nn.TransformerEncoderLayer with the same random weights, in float64",
    )
    return [
        layer(
            **wording(CLAIMS, QUOTES, "complete graph"),
            cases=cases,
            count=wrong,
            unit="tensors that differ",
            note=f"The largest error is {error['complete']:.1e} of the largest entry.",
        ),
        layer(
            **wording(CLAIMS, QUOTES, "causal mask"),
            cases=causal_cases + edges,
            count=causal_wrong + back,
            unit="tensors that differ, or edges that lead back",
            note=f"The largest error is {error['causal']:.1e} of the largest entry; {back:.0f} edges lead back.",
        ),
        layer(
            **wording(CLAIMS, QUOTES, "self-loops"),
            cases=total(evidence.of(Layer), "loops_cases"),
            count=total(evidence.of(Layer), "loops_equal"),
            unit="outputs that are equal without self-loops",
            checks=(check("with its self-loops the layer equals torch's", 1 - wrong),),
            corrected="Some of these layers are equal without self-loops.",
        ),
    ]


def additive(evidence: Evidence) -> Exact:
    """GAT cannot: no weights make its order of the tokens differ from node to node."""
    disagree, fixed = (total(evidence.of(Order), name) for name in ("dot_turned", "dot_fixed"))
    return Exact(
        **wording(CLAIMS, QUOTES, "additive attention"),
        cases=total(evidence.of(Order), "cases"),
        count=total(evidence.of(Order), "gat_turned"),
        unit="cases in which two nodes disagree",
        missing=missing(evidence, Order),
        checks=(check("in every dot-product layer two nodes disagree", 1 - fixed),),
        test="random layers on a complete graph; a case is a pair of tokens and a pair of nodes that rank them",
        note=f"With dot products two nodes disagree in {disagree:.0f} cases.",
    )


def relabeling(evidence: Evidence) -> Exact:
    """The layer commutes with what keeps its graph: everything on the complete one, nothing on the causal one."""
    results = evidence.of(Relabel)
    cases, commuting, wrong = (
        {graph: total(results, f"{graph}_{what}") for graph in GRAPHS} for what in ("cases", "commuting", "wrong")
    )
    missed, excess = cases["complete"] - commuting["complete"], commuting["causal"] - len(results)
    each = ", ".join(f"{number / max(1, len(results)):g} ({graph})" for graph, number in commuting.items())
    return Exact(
        **wording(CLAIMS, QUOTES, "relabeling"),
        cases=sum(cases.values()),
        count=sum(wrong.values()) + missed + excess,
        missing=missing(evidence, Relabel),
        checks=(check("some relabelings change the output", cases["causal"] - commuting["causal"]),),
        test="all relabelings of five tokens, in random layers on five graphs, in float64",
        note=f"Relabelings that a layer commutes with: {each}.",
    )
