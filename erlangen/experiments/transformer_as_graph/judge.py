"""Transformers as graph networks: verdicts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.transformer_as_graph import Recipe
from erlangen.experiments.transformer_as_graph.comparisons import COMPARISONS, PLACES
from erlangen.experiments.transformer_as_graph.exact import exact_parts
from erlangen.experiments.transformer_as_graph.structure import structure_parts
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """G9's five parts, then G11's."""
    return decide([*exact_parts(evidence), *structure_parts(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """How many tensors differ; what the edges gain, and how much attention they get."""
    found = {verdict.part: verdict for verdict in verdicts if verdict.effect is not None}
    layer, share = found.get("complete graph"), found.get("attention on true edges")
    counted = layer and (
        "A graph network on the complete graph, with the weights of torch's Transformer layer, differs from it in "
        f"{layer.effect:g} of {layer.n} outputs, attention matrices and gradients."
    )
    gains = [
        f"{found[name].effect:+.1f} points ({classes} classes, {PLACES[comparison.where]})"
        for classes, comparison in product(recipe.classes, COMPARISONS[:3])
        if (name := comparison.name(classes)) in found
    ]
    *first, last = gains or [""]
    listed = f"{', '.join(first)} and {last}" if first else last
    differ = f"Compared with attention to every node, attention along the edges changes the test accuracy by {listed}."
    heard = share and f" When every node is attended to, true edges get {share.effect:.2f} times their share of the attention."
    return [
        answer("G9", verdicts, counted or "", figure="checks"),
        answer("G11", verdicts, differ + (heard or ""), figure="accuracy"),
    ]
