"""Transformers as graph networks: verdicts and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.transformer_as_graph import Recipe
from erlangen.experiments.transformer_as_graph.comparisons import STRUCTURED
from erlangen.experiments.transformer_as_graph.exact import exact_parts
from erlangen.experiments.transformer_as_graph.structure import DILUTED, structure_parts
from erlangen.records.runs import Answer, Verdict

UNDECIDED = "It is not decided whether GAT is more accurate on graphs than a Transformer that attends to every node"


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """G9's five parts, then G11's."""
    return decide([*exact_parts(evidence), *structure_parts(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """How many tensors differ; what GAT and the edges gain on each graph, and how much attention the edges get."""
    found = {verdict.part: verdict for verdict in verdicts if verdict.effect is not None}
    layer = found.get("complete graph")
    counted = layer and (
        "A graph network on the complete graph, with the weights of torch's Transformer layer, differs from it in "
        f"{layer.effect:g} of {layer.n} outputs, attention matrices and gradients."
    )
    return [answer("G9", verdicts, counted or "", figure="checks"), answer("G11", verdicts, gains(recipe, found), figure="gains")]


def gains(recipe: Recipe, found: Mapping[str, Verdict]) -> str:
    """How GAT's lead ranges over the graphs whose edges say something, and what attention to every node gives to edges."""
    overall, leads = found.get("all graphs with structure"), sorted(leads_of(recipe, found))
    if not overall or not leads:
        return ""
    (least, there), (most, here) = leads[0], leads[-1]
    sentence = (
        f"{opening(recipe, overall)}: over {len(leads)} graphs its lead in test accuracy ranges from {least:+.1f} points "
        f"({there}) to {most:+.1f} ({here})."
    )
    shares = [found[part] for part in DILUTED if part in found]
    if len(shares) == len(DILUTED):
        alike, unlike = (f"{share.effect:.2f}" for share in shares)
        sentence += (
            f" When every node is attended to, true edges get {alike} times their share of the attention where neighbors are "
            f"most alike, and {unlike} times where they are least alike."
        )
    return sentence


def opening(recipe: Recipe, overall: Verdict) -> str:
    """What is decided. A lead of less than the margin refutes that GAT is clearly better, not that it is better at all."""
    other = "than a Transformer that attends to every node"
    if overall.verdict == "supported":
        return f"GAT is more accurate {other} on each graph whose edges say something of the class"
    if overall.verdict != "refuted":
        return UNDECIDED
    behind = overall.interval is not None and overall.interval[1] is not None and overall.interval[1] < 0
    return f"GAT is not always more accurate on graphs {other}" + ("" if behind else f", by {recipe.margin:g} points or more")


def leads_of(recipe: Recipe, found: Mapping[str, Verdict]) -> list[tuple[float, str]]:
    """GAT's lead on each graph whose edges say something of the class, and which graph it is."""
    graphs = {"GAT, Cora": "Cora"}
    for classes, comparison in product(recipe.classes, STRUCTURED):
        within = 100 * recipe.places(classes, comparison.where)[0]
        graphs[comparison.name(classes)] = f"{classes} classes, {within:g} % of the edges within one"
    return [(found[part].effect or 0.0, graph) for part, graph in graphs.items() if part in found]
