"""What attention costs on a graph: verdicts and the answer.

A clock cannot refute a count: the report's sentences are judged on what is counted. Times illustrate them.
"""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.graph_cost import Recipe
from erlangen.experiments.graph_cost.clock_parts import GROWTH, clock_parts
from erlangen.experiments.graph_cost.count_parts import counted_parts, numbers
from erlangen.experiments.graph_cost.laws import law_of, rows
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What is counted, then what a clock says."""
    return decide([*counted_parts(recipe, evidence), *clock_parts(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """The counts, an example, and the exponents of the time."""
    effects = {verdict.part: verdict.effect for verdict in verdicts if verdict.effect is not None}
    sentence = counts(recipe, evidence) if effects.get("cost, GAT") == effects.get("cost, Transformer") == 0 else ""
    grown = [f"{effects[part]:.2f} for {part.removeprefix('time, ')}" for part in GROWTH if part in effects]
    if not sentence:
        sentence = "What the two layers compute is not a fixed number per node and per pair that they attend to."
    if grown:
        *first, last = grown
        listed = f"{', '.join(first)} and {last}" if first else last
        sentence += f" On one core the time of forward and backward grows with the number of nodes with the exponent {listed}."
    return [answer("G10", verdicts, sentence, figure="cost")]


def counts(recipe: Recipe, evidence: Evidence) -> str:
    """What a forward pass multiplies and adds, per node and per pair, and on one graph; '' where it is not known."""
    gat = law_of(rows(evidence, "gat", "products forward"), "edges")
    transformer = law_of(rows(evidence, "plain", "products forward"), "all")
    if gat is None or transformer is None:
        return ""
    n = recipe.tokens[-1]
    here, there = (float(law.at(n, pairs)) / 1e6 for law, pairs in ((gat, n * recipe.degree), (transformer, n * n)))
    return (
        "GAT's cost grows with the number of edges, a Transformer's with the square of the number of nodes. A forward pass with "
        f"{recipe.features} features takes {numbers(gat, 'multiply-adds', 'edges')} in GAT, "
        f"{numbers(transformer, 'multiply-adds', 'all')} in a Transformer: on {n:,} nodes with {recipe.degree} neighbors each, "
        f"{here:,.0f} and {there:,.0f} million."
    )
