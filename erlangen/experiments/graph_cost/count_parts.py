"""G10: the parts that are counted: what each layer computes, and what it stores for the gradient."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.graph_cost import Recipe, said
from erlangen.experiments.graph_cost.laws import Law, Pairs, Row, law_of, off_law, rows
from erlangen.experiments.graph_cost.tasks import Count, Layer
from erlangen.experiments.kit.evidence import Evidence, matches
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.statistics.regions import at_least

COMPUTED = ("products forward", "products both", "entries forward", "entries both")
PRODUCTS = COMPUTED[:2]  # a fused kernel computes its softmax out of sight
NAMES: dict[Layer, str] = {
    "gat": "GAT", "dot": "dot product along edges", "plain": "unfused attention", "fused": "fused attention",
}  # fmt: skip
MOST = 50  # percent


def counted_parts(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """The report's two sentences under one standard, then what they leave out."""
    return [
        cost(evidence, "cost, GAT", {"gat": COMPUTED}, "edges"),
        cost(evidence, "cost, Transformer", {"plain": COMPUTED, "fused": PRODUCTS}, "all"),
        cost(evidence, "cost, dot product along edges", {"dot": COMPUTED}, "edges"),
        per_node(recipe, evidence),
        cost(evidence, "storage, GAT", {"gat": ("stored",)}, "edges"),
        cost(evidence, "storage, unfused attention", {"plain": ("stored",)}, "all"),
        without_pairs(evidence),
    ]


def cost(evidence: Evidence, part: str, quantities: dict[Layer, Sequence[str]], which: Pairs) -> Exact:
    """Whether each count is a number per node and one per pair attended, on every graph."""
    found = [rows(evidence, layer, name) for layer, names in quantities.items() for name in names]
    return Exact(
        **said(part),
        cases=sum(map(len, found)) if all(law_of(one, which) for one in found) else 0,
        count=sum(off_law(one, which) for one in found),
        unit="counts off the law",
        missing=uncounted(evidence, *quantities),
        checks=(Check("the law tells edges from all pairs on these graphs", all(planted(one, which) for one in found)),),
        corrected="It is not a fixed number per node and per pair attended.",
        test="c + a·N + b·P with b > 0, solved from three graphs in fractions, on all of them, forward and backward",
        note=" ".join(in_words(evidence, layer, names[0], which) for layer, names in quantities.items()),
    )


def planted(found: Sequence[Row], which: Pairs) -> bool:
    """A positive control: whether counts of the other pairs would be off the law on the same graphs."""
    other: Pairs = "all" if which == "edges" else "edges"
    return off_law([row._replace(counted=row.pairs(other)) for row in found], which) > 0


def without_pairs(evidence: Evidence) -> Exact:
    """Whether what fused attention stores depends on the nodes alone; of unfused attention pairs must be seen."""
    fused, plain = (rows(evidence, layer, "stored") for layer in ("fused", "plain"))
    seen = law_of(plain, "all")
    return Exact(
        **said("storage, fused attention"),
        cases=len(fused) if law_of(fused, "all") else 0,
        count=off_law(fused, "all", grows=False),
        unit="counts off the law",
        missing=uncounted(evidence, "fused", "plain"),
        checks=(Check("unfused attention is seen to store pairs", seen.per_pair > 0 if seen else None),),
        corrected="It grows with the number of pairs.",
        test="c + a·N + b·N² with b = 0, solved from three graphs in fractions, on all of them",
        note=in_words(evidence, "fused", "stored", "all"),
    )


def per_node(recipe: Recipe, evidence: Evidence) -> Exact:
    """The share of GAT's multiply-adds, forward and backward, that is a number per node."""
    found = rows(evidence, "gat", "products both")
    law = law_of(found, "edges")
    share = 100 * float(law.per_node / (law.per_node + law.per_pair * recipe.degree)) if law and law.per_node > 0 else 0.0
    return Exact(
        **said("cost per node, GAT"),
        cases=len(found) if law else 0,
        count=share,
        region=at_least(MOST, why="more than half is most"),
        unit=f"% of the multiply-adds at {recipe.degree} neighbors",
        missing=uncounted(evidence, "gat"),
        checks=(Check("the counts follow the law", bool(found) and off_law(found, "edges") == 0),),
        corrected="Most of them belong to edges.",
        note="O(E) says how a cost grows, not what it consists of.",
    )


def in_words(evidence: Evidence, layer: Layer, quantity: str, which: Pairs) -> str:
    """'GAT, forward: 4,096 multiply-adds per node and 64 per edge.'"""
    law = law_of(rows(evidence, layer, quantity), which)
    if law is None:
        return ""
    kind, _, passes = quantity.partition(" ")
    what = {"products": "multiply-adds", "stored": "numbers stored"}[kind]
    return (
        f"{NAMES[layer].capitalize() if layer != 'gat' else 'GAT'}{', ' if passes else ''}{passes}: {numbers(law, what, which)}."
    )


def numbers(law: Law, what: str, which: Pairs) -> str:
    """'4,096 multiply-adds per node and 64 per edge'"""
    each = "edge" if which == "edges" else "pair of nodes"
    paired = f" and {float(law.per_pair):,.6g} per {each}" if law.per_pair else ""
    return f"{float(law.per_node):,.6g} {what} per node{paired}"


def uncounted(evidence: Evidence, *layers: Layer) -> tuple[str, ...]:
    """The counts of these layers that gave no result."""
    return tuple(job.label() for layer in layers for job in evidence.missing if matches(job, Count, {"layer": layer}))
