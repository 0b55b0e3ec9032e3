"""What attention costs on a graph: verdicts and the answer.

A clock cannot refute a count: the report's sentences are judged on what is counted. Times illustrate them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from erlangen.experiments.graph_cost import Recipe
from erlangen.experiments.graph_cost.clock_parts import GROWTH, clock_parts
from erlangen.experiments.graph_cost.count_parts import counted_parts, numbers
from erlangen.experiments.graph_cost.laws import law_of, rows
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Answer, Verdict

LAWS = {
    "cost, GAT": "what a GAT layer computes is a fixed number of operations per node and per edge",
    "cost, Transformer": "what a Transformer layer computes is a fixed number of operations per node and per pair of nodes",
}


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What is counted, then what a clock says."""
    return decide([*counted_parts(recipe, evidence), *clock_parts(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """The counts with an example, and the exponents of the times that a clock could decide."""
    found = {verdict.part: verdict for verdict in verdicts}
    costs = {part: found[part].verdict for part in LAWS}
    sentence = counts(recipe, evidence) if set(costs.values()) == {"supported"} else off_the_laws(costs)
    decided = {part: found[part] for part in GROWTH if found[part].verdict in ("supported", "refuted")}
    grown = [f"{verdict.effect:.2f} for {part.removeprefix('time, ')}" for part, verdict in decided.items()]
    if grown:
        *first, last = grown
        listed = f"{', '.join(first)} and {last}" if first else last
        sentence += f" On one core the time of forward and backward grows with the number of nodes with the exponent {listed}."
    return [answer("G10", verdicts, sentence, figure="cost")]


def off_the_laws(costs: Mapping[str, str]) -> str:
    """Which of the two laws does not hold, or is not decided."""
    broken, still_open = (
        [LAWS[part] for part in costs if costs[part] in outcomes]
        for outcomes in (
            ("refuted",),
            ("inconclusive", "not measured"),
        )
    )
    told = [f"It is not true that {' nor that '.join(broken)}."] if broken else []
    told += [f"It is not decided whether {' and whether '.join(still_open)}."] if still_open else []
    return " ".join(told)


def counts(recipe: Recipe, evidence: Evidence) -> str:
    """What a forward pass multiplies and adds, per node and per pair, and on one graph; '' where it is not known."""
    gat = law_of(rows(evidence, "gat", "products forward"), "edges")
    transformer = law_of(rows(evidence, "plain", "products forward"), "all")
    if gat is None or transformer is None:
        return ""
    n = recipe.tokens[-1]
    here, there = (float(law.at(n, pairs)) / 1e6 for law, pairs in ((gat, n * recipe.degree), (transformer, n * n)))
    return (
        "GAT's cost grows with the number of edges, a Transformer's with the square of the number of nodes: a forward pass with "
        f"{recipe.features} features takes {numbers(gat, 'multiply-adds', 'edges')} in GAT, "
        f"{numbers(transformer, 'multiply-adds', 'all')} in a Transformer ({here:,.0f} and {there:,.0f} million on {n:,} nodes "
        f"with {recipe.degree} neighbors each)."
    )
